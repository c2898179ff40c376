/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What systemd is told: ready, reloading, stopping, a status line, and that
 * the loop still turns. The protocol is one datagram (sd_notify(3)), too small
 * to be worth a library. Without systemd all of this does nothing.
 */
#ifndef NATXDP_AGENT_NOTIFY_H
#define NATXDP_AGENT_NOTIFY_H

#include <stdint.h>

void notify_init(void);
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often the watchdog wants to hear "WATCHDOG=1", in ms; 0: never. */
uint32_t notify_watchdog_ms(void);

#endif
