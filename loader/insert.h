/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Flows of another table into that of a NAT, which may be at work. */
#ifndef NATXDP_LOADER_INSERT_H
#define NATXDP_LOADER_INSERT_H

#include <natxdp/insert.h>

/*
 * @program is natxdp_insert: nat_program(), or the pin at pins_insert_path().
 * Any @count, in batches. Returns 0, then every item has its result; or -errno,
 * then those with NATXDP_INSERT_NONE were not looked at.
 */
int insert_flows(int program, struct natxdp_insertion *items, unsigned int count);

#endif
