/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The PCI transport: "vrdma-pci", what users put on the command line.
 */
#ifndef VRDMA_PCI_H
#define VRDMA_PCI_H

void vrdma_pci_register_types(void);

#endif
