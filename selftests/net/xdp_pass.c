/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * xdp_pass DEVICE: attaches an XDP program that lets everything pass, and
 * leaves it there. The peer of a veth whose program answers XDP_TX needs one:
 * without it nobody tells the peer that there are frames. Another NAT's
 * program in the way looks the same.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	unsigned int ifindex = argc == 2 ? if_nametoindex(argv[1]) : 0;
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	int program, ret;

	if (!ifindex) {
		fprintf(stderr, "usage: xdp_pass DEVICE\n");
		return 2;
	}
	opts.prog_flags = BPF_F_XDP_HAS_FRAGS;
	program = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_pass", "GPL", pass,
				sizeof(pass) / sizeof(*pass), &opts);
	if (program < 0) {
		fprintf(stderr, "xdp_pass: cannot load: %s\n", strerror(errno));
		return 1;
	}
	ret = bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST,
			     NULL);
	if (ret) {
		fprintf(stderr, "xdp_pass: %s: cannot attach: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	return 0;
}
