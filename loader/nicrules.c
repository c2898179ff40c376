/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "nicrules.h"

#include <stdio.h>
#include <string.h>

#include "nic.h"

/*
 * ENA, by the source of amzn/amzn-drivers at its tags ena_linux_VERSION
 * (kernel/linux/ena/ena_xdp.h, README.rst "XDP Support") and its issues:
 *
 *  - the queues: ena_xdp_allowed() wants 2 * queues <= max at every tag up to
 *    2.16.1; 2.17.0 removed it ("Full queues utilization in XDP");
 *  - multi-buffer (NETIF_F RX_SG for XDP) since 2.14.0; before that, and in
 *    the driver of the kernel itself, a frame must fit one page: 3498 bytes;
 *  - 2.13.0 panics on XDP_TX and XDP_REDIRECT: #328, fixed in 2.13.1
 *    (AL2023 6.1.112; also bottlerocket #4357 with 2.13.0g);
 *  - 2.17.0 and 2.17.1 use freed memory when an ENI is unplugged, and panic:
 *    #379, #380, fixed in 2.17.2 (AL2023 of June 2026 had 2.17.0g);
 *  - before 2.13 there are reports of frames that stay behind: #170, #279.
 *
 * virtio_net: since Linux 6.3 fragments are taken (drivers/net/virtio_net.c);
 * before, virtnet_xdp_set() wants a page to hold the frame: 4096 bytes less
 * headroom and skb_shared_info.
 *
 * veth: veth_xdp_set() looks at the MTU of the peer, which may be out of sight.
 *
 * ixgbe and i40e receive XDP into buffers of 3 KiB: less 26 bytes of Ethernet,
 * two VLAN tags and checksum that is 3046; i40e takes fragments since 6.4, ice
 * since 6.3.
 * mlx5 takes no frame of more than a page without fragments (since 6.3), and no
 * LRO (mlx5e_xdp_allowed()).
 */
static const struct nic_rule rules[] = {
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .from = VERSION(2, 17, 0),
	  .below = VERSION(2, 17, 2),
	  .refuse = "it panics when an ENI is unplugged (amzn-drivers #379): needs 2.17.2, or one "
		    "before 2.17" },
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .from = VERSION(2, 17, 2),
	  .mtu_page = 3498 },
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .from = VERSION(2, 14, 0),
	  .half_queues = true,
	  .mtu_page = 3498 },
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .from = VERSION(2, 13, 1),
	  .half_queues = true,
	  .mtu_max = 3498 },
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .from = VERSION(2, 13, 0),
	  .below = VERSION(2, 13, 1),
	  .half_queues = true,
	  .mtu_max = 3498,
	  .refuse = "it panics on XDP_TX and XDP_REDIRECT (amzn-drivers #328): needs 2.13.1 or "
		    "newer" },
	{ .driver = "ena",
	  .version_of = VERSION_OF_DRIVER,
	  .half_queues = true,
	  .mtu_max = 3498,
	  .advice = "frames stay behind in some of its versions (amzn-drivers #170, #279): use "
		    "2.13.1 or newer" },
	{ .driver = "ena", .version_of = VERSION_OF_KERNEL, .half_queues = true, .mtu_max = 3498 },
	{ .driver = "virtio_net",
	  .version_of = VERSION_OF_KERNEL,
	  .from = VERSION(6, 3, 0),
	  .mtu_page = 3506 },
	{ .driver = "virtio_net", .version_of = VERSION_OF_KERNEL, .mtu_max = 3506 },
	{ .driver = "veth", .version_of = VERSION_OF_KERNEL },
	{ .driver = "ixgbe", .version_of = VERSION_OF_KERNEL, .mtu_max = 3046 },
	{ .driver = "i40e",
	  .version_of = VERSION_OF_KERNEL,
	  .from = VERSION(6, 4, 0),
	  .mtu_page = 3046 },
	{ .driver = "i40e", .version_of = VERSION_OF_KERNEL, .mtu_max = 3046 },
	{ .driver = "ice",
	  .version_of = VERSION_OF_KERNEL,
	  .from = VERSION(6, 3, 0),
	  .mtu_page = 3046 },
	{ .driver = "ice", .version_of = VERSION_OF_KERNEL, .mtu_max = 3046 },
	{ .driver = "mlx5_core",
	  .version_of = VERSION_OF_KERNEL,
	  .from = VERSION(6, 3, 0),
	  .mtu_page = 3498,
	  .no_lro = true },
	{ .driver = "mlx5_core", .version_of = VERSION_OF_KERNEL, .mtu_max = 3498, .no_lro = true },
};

static const struct nic_rule unknown = {
	.advice = "nothing is known of it here: load tells whether it runs XDP",
};

uint32_t version_parse(const char *text)
{
	unsigned int major = 0, minor = 0, patch = 0;

	if (sscanf(text, "%4u.%4u.%4u", &major, &minor, &patch) < 1)
		return 0;
	if (minor > 1023)
		minor = 1023;
	if (patch > 1023)
		patch = 1023;
	return VERSION(major, minor, patch);
}

/* Where a driver has no version of its own, the kernel says its release. */
static bool is_of_kernel(const char *version, const char *release)
{
	return !*version || !strncmp(version, release, strlen(version));
}

const struct nic_rule *nic_rule_find(const char *driver, const char *version, const char *release)
{
	bool of_kernel = is_of_kernel(version, release);
	uint32_t number;

	for (unsigned int i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct nic_rule *rule = &rules[i];

		if (strcmp(rule->driver, driver))
			continue;
		/* the other drivers are told apart by their kernel, whatever they call themselves */
		if (rule->version_of == VERSION_OF_DRIVER ? of_kernel :
							    !of_kernel && !strcmp(driver, "ena"))
			continue;
		number = version_parse(rule->version_of == VERSION_OF_DRIVER ? version : release);
		if (number >= rule->from && (!rule->below || number < rule->below))
			return rule;
	}
	return &unknown;
}

uint32_t nic_mtu_max(const struct nic_rule *rule, bool pieces)
{
	return pieces || rule->mtu_max ? rule->mtu_max : rule->mtu_page;
}

void nic_wants(const struct nic_facts *nic, const struct nic_rule *rule, bool pieces,
	       struct nic_wants *wants)
{
	uint32_t mtu_max = nic_mtu_max(rule, pieces);

	memset(wants, 0, sizeof(*wants));
	if (mtu_max && nic->mtu > mtu_max)
		wants->mtu = mtu_max;
	/* with one queue in all there is nothing to halve: no setting helps */
	if (rule->half_queues && 2 * nic->queues > nic->queues_max && nic->queues_max > 1)
		wants->queues = nic->queues_max / 2;
	wants->lro_off = rule->no_lro && nic->lro;
}
