// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/xml_edit.h"

#include <string>
#include <string_view>

namespace vrdma::libvirt {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(pugi::xml_node node) {
    return node.type() == pugi::node_pcdata &&
           std::string_view(node.value()).find_first_not_of(kBlanks) == std::string_view::npos;
}

// A line's begin, as libvirt indents: two blanks for each element around it.
std::string line_begin(int depth) {
    return "\n" + std::string(2 * static_cast<size_t>(depth), ' ');
}

// How many elements are around what is in the parent.
int depth_in(pugi::xml_node parent) {
    int depth = 0;
    for (; parent.type() == pugi::node_element; parent = parent.parent()) {
        ++depth;
    }
    return depth;
}

}  // namespace

pugi::xml_node append_element(pugi::xml_node parent, const char* name) {
    const int depth = depth_in(parent);
    pugi::xml_node last = parent.last_child();
    if (!is_blank(last)) {
        last = parent.append_child(pugi::node_pcdata);
        last.set_value(line_begin(depth - 1).c_str());
    }
    const pugi::xml_node added = parent.insert_child_before(name, last);
    parent.insert_child_before(pugi::node_pcdata, added).set_value(line_begin(depth).c_str());
    return added;
}

pugi::xml_node insert_element_after(pugi::xml_node sibling, const char* name) {
    pugi::xml_node parent = sibling.parent();
    const pugi::xml_node added = parent.insert_child_after(name, sibling);
    parent.insert_child_before(pugi::node_pcdata, added)
        .set_value(line_begin(depth_in(parent)).c_str());
    return added;
}

void remove_element(pugi::xml_node element) {
    pugi::xml_node parent = element.parent();
    if (const pugi::xml_node before = element.previous_sibling(); is_blank(before)) {
        parent.remove_child(before);
    }
    parent.remove_child(element);
}

bool has_elements(pugi::xml_node parent) {
    return parent.find_child(
        [](pugi::xml_node child) { return child.type() == pugi::node_element; });
}

}  // namespace vrdma::libvirt
