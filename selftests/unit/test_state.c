/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of a flow from what its two directions have seen. */
#include "unit.h"

#include <natxdp/state.h>

enum {
	S = NATXDP_SEEN_SYN,
	A = NATXDP_SEEN_ACK,
	F = NATXDP_SEEN_FIN,
	R = NATXDP_SEEN_RST,
	I = NATXDP_FLOW_INBOUND,
};

static const struct row {
	uint8_t proto, out, in;
	int replied;
	enum natxdp_state state;
	enum natxdp_timeout timeout;
} rows[] = {
	{ IPPROTO_UDP, 0, I, 0, NATXDP_STATE_UDP_NEW, NATXDP_TIMEOUT_UDP },
	{ IPPROTO_UDP, 0, I, 1, NATXDP_STATE_UDP_REPLIED, NATXDP_TIMEOUT_UDP },
	{ IPPROTO_ICMP, 0, I, 0, NATXDP_STATE_ICMP_NEW, NATXDP_TIMEOUT_ICMP },
	{ IPPROTO_ICMP, 0, I, 1, NATXDP_STATE_ICMP_REPLIED, NATXDP_TIMEOUT_ICMP },
	/* the handshake, step by step */
	{ IPPROTO_TCP, S, I, 0, NATXDP_STATE_TCP_OPENING, NATXDP_TIMEOUT_TCP_OPENING },
	{ IPPROTO_TCP, S, I | S, 1, NATXDP_STATE_TCP_OPENING, NATXDP_TIMEOUT_TCP_OPENING },
	{ IPPROTO_TCP, S | A, I | S, 1, NATXDP_STATE_TCP_ESTABLISHED,
	  NATXDP_TIMEOUT_TCP_ESTABLISHED },
	{ IPPROTO_TCP, S | A, I | S | A, 1, NATXDP_STATE_TCP_ESTABLISHED,
	  NATXDP_TIMEOUT_TCP_ESTABLISHED },
	/* closed by one end, then by both */
	{ IPPROTO_TCP, S | A | F, I | S | A, 1, NATXDP_STATE_TCP_HALF_CLOSED,
	  NATXDP_TIMEOUT_TCP_ESTABLISHED },
	{ IPPROTO_TCP, S | A, I | S | A | F, 1, NATXDP_STATE_TCP_HALF_CLOSED,
	  NATXDP_TIMEOUT_TCP_ESTABLISHED },
	{ IPPROTO_TCP, S | A | F, I | S | A | F, 1, NATXDP_STATE_TCP_CLOSING,
	  NATXDP_TIMEOUT_TCP_CLOSING },
	/* reset, by either end */
	{ IPPROTO_TCP, S | A | R, I | S | A, 1, NATXDP_STATE_TCP_RESET,
	  NATXDP_TIMEOUT_TCP_CLOSING },
	{ IPPROTO_TCP, S | A, I | S | A | R, 1, NATXDP_STATE_TCP_RESET,
	  NATXDP_TIMEOUT_TCP_CLOSING },
	{ IPPROTO_TCP, S, I | R, 1, NATXDP_STATE_TCP_RESET, NATXDP_TIMEOUT_TCP_CLOSING },
	/* the outside forgets its RST with its next segment */
	{ IPPROTO_TCP, S | A, I | S | A, 1, NATXDP_STATE_TCP_ESTABLISHED,
	  NATXDP_TIMEOUT_TCP_ESTABLISHED },
	/* a new SYN on what was closed: opening, whatever the other end remembers */
	{ IPPROTO_TCP, S, I | S | A | F, 1, NATXDP_STATE_TCP_OPENING, NATXDP_TIMEOUT_TCP_OPENING },
	/* adopted in midstream: no SYN was seen */
	{ IPPROTO_TCP, A, I, 0, NATXDP_STATE_TCP_OPENING, NATXDP_TIMEOUT_TCP_OPENING },
	{ IPPROTO_TCP, A, I | A, 1, NATXDP_STATE_TCP_ESTABLISHED, NATXDP_TIMEOUT_TCP_ESTABLISHED },
};

static void states_and_timeouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];
		enum natxdp_state is = natxdp_flow_state(row->proto, row->out, row->in,
							 row->replied);

		if (is != row->state)
			fail_msg("row %zu: state %d, not %d", i, is, row->state);
		assert_int_equal(natxdp_state_timeout(is), row->timeout);
	}
}

/* Whatever the flags are, there is a state, and it has a timeout. */
static void every_combination_has_a_state(void **state)
{
	(void)state;
	for (int out = 0; out < 16; out++) {
		for (int in = 0; in < 16; in++) {
			enum natxdp_state is = natxdp_flow_state(IPPROTO_TCP, out, in | I, 1);

			assert_in_range(is, NATXDP_STATE_TCP_OPENING, NATXDP_STATE_TCP_RESET);
			assert_in_range(natxdp_state_timeout(is), NATXDP_TIMEOUT_TCP_OPENING,
					NATXDP_TIMEOUT_TCP_CLOSING);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_and_timeouts),
		cmocka_unit_test(every_combination_has_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
