/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a NAT lives on bpffs:
 *
 *	PIN_DIR/maps/NAME	every map
 *	PIN_DIR/links/IFACE	what keeps the program on each interface
 *	PIN_DIR/flows		an iterator: cat prints one line a flow
 *	PIN_DIR/insert		the program that takes flows of another table
 */
#ifndef NATXDP_PINS_H
#define NATXDP_PINS_H

#include <stdbool.h>

struct err;

enum { PIN_PATH_MAX = 384 };

void pins_map_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *map);

/* bpffs allows no dot in a name, but eth0.100 has one: ':' stands for it. */
void pins_link_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *iface);

/* Is this descriptor, of something pinned, one of a program? */
bool pins_is_program(int fd);

void pins_flows_path(char path[PIN_PATH_MAX], const char *pin_dir);
void pins_insert_path(char path[PIN_PATH_MAX], const char *pin_dir);

/* Pins @fd at @path in one step, in the place of what may be there. Returns 0 or -errno. */
int pins_put(int fd, const char *path, const char *pin_dir);

/*
 * Makes the directories, after mounting bpffs at /sys/fs/bpf where it is
 * missing. *@volatile_mount is set if they are in a mount namespace of this
 * process alone, whose end takes the pins, and so the NAT, with it.
 */
int pins_make(const char *pin_dir, bool *volatile_mount, struct err *err);

/* Calls @each with the full path of every entry of PIN_DIR/@subdir. */
int pins_each(const char *pin_dir, const char *subdir, void (*each)(const char *path, void *data),
	      void *data);

/* Removes everything. Links end with their pins; so call it last. */
int pins_remove(const char *pin_dir);

bool pins_exist(const char *pin_dir);

#endif
