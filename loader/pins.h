/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a NAT lives on bpffs:
 *
 *	PIN_DIR/maps/NAME	every map
 *	PIN_DIR/links/IFACE	what keeps the program on each interface
 *	PIN_DIR/flows		an iterator: cat prints one line a flow
 *	PIN_DIR/insert		the program that takes flows of another table
 *
 * and while an upgrade goes on to tables of another size (upgrade.h):
 *
 *	PIN_DIR/next/NAME	the maps that come after those in maps/, and
 *				once the two have changed places, those before
 *	PIN_DIR/gate/NAME	what says how far it is, and can finish it
 */
#ifndef NATXDP_PINS_H
#define NATXDP_PINS_H

#include <stdbool.h>

struct err;

enum { PIN_PATH_MAX = 384 };

#define PINS_MAPS "maps"
#define PINS_LINKS "links"
#define PINS_NEXT "next"
#define PINS_GATE "gate"

void pins_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *subdir, const char *name);
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

/* Makes one of the subdirectories of a NAT that runs. Returns 0 or -errno, as the next two do. */
int pins_make_subdir(const char *pin_dir, const char *subdir);

/* With all that is in it; it may be missing. */
int pins_remove_subdir(const char *pin_dir, const char *subdir);

/* maps/ and next/ change their names, in one step. */
int pins_exchange(const char *pin_dir);

/* Of the directory maps/: it is another one when an upgrade has put others there. */
unsigned long pins_maps_inode(const char *pin_dir);

/* Is there something of an upgrade that is not done? */
bool pins_has_next(const char *pin_dir);

/* Removes everything. Links end with their pins; so call it last. */
int pins_remove(const char *pin_dir);

bool pins_exist(const char *pin_dir);

#endif
