/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef NATXDP_VERSION_H
#define NATXDP_VERSION_H

#define NATXDP_VERSION "0.1.0"

#endif
