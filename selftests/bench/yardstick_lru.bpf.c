/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <linux/bpf.h>

#define YARDSTICK_TYPE BPF_MAP_TYPE_LRU_HASH

#include "yardstick.h"
