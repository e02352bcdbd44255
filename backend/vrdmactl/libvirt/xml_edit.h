// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Changes of an XML document that leave the text around them as it is.
#pragma once

#include <pugixml.hpp>

namespace vrdma::libvirt {

// Adds an element as the parent's last one, on a line of its own.
pugi::xml_node append_element(pugi::xml_node parent, const char* name);

// Adds an element behind another one.
pugi::xml_node insert_element_after(pugi::xml_node sibling, const char* name);

// Removes an element with its line.
void remove_element(pugi::xml_node element);

// Whether there is an element in it.
bool has_elements(pugi::xml_node parent);

}  // namespace vrdma::libvirt
