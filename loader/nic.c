/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "nic.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RSS_TABLE_MAX = 4096, CPUS_MAX = 1024 };

static int request(const char *name, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	ret = ioctl(fd, what, ifr) ? -errno : 0;
	close(fd);
	return ret;
}

static int ethtool(const char *name, void *command)
{
	struct ifreq ifr = { .ifr_data = command };

	return request(name, SIOCETHTOOL, &ifr);
}

/*
 * The in-tree driver of Amazon Linux says its version in sysfs only; elsewhere
 * the kernel puts its own release where a driver has no version.
 */
static void read_version(struct nic_facts *nic, const char *from_ethtool)
{
	char path[96];
	FILE *file;

	snprintf(nic->version, sizeof(nic->version), "%s", from_ethtool);
	snprintf(path, sizeof(path), "/sys/module/%s/version", nic->driver);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%31s", nic->version) != 1)
		snprintf(nic->version, sizeof(nic->version), "%s", from_ethtool);
	fclose(file);
}

static void read_queues(struct nic_facts *nic)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_ringparam rings = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	if (!ethtool(nic->name, &channels)) {
		nic->queues = channels.combined_count;
		nic->queues_max = channels.max_combined;
	}
	if (!ethtool(nic->name, &rings)) {
		nic->rx_ring = rings.rx_pending;
		nic->rx_ring_max = rings.rx_max_pending;
	}
	if (!ethtool(nic->name, &flags))
		nic->lro = flags.data & ETH_FLAG_LRO;
}

static void read_rss(struct nic_facts *nic)
{
	struct ethtool_rxfh_indir *table;
	bool named[CPUS_MAX] = { false };

	table = calloc(1, sizeof(*table) + RSS_TABLE_MAX * sizeof(uint32_t));
	if (!table)
		return;
	table->cmd = ETHTOOL_GRXFHINDIR;
	if (ethtool(nic->name, table) || !table->size || table->size > RSS_TABLE_MAX)
		goto free;
	table->cmd = ETHTOOL_GRXFHINDIR;
	if (ethtool(nic->name, table))
		goto free;
	for (uint32_t i = 0; i < table->size; i++) {
		uint32_t queue = table->ring_index[i] % CPUS_MAX;

		nic->rss_queues += !named[queue];
		named[queue] = true;
	}
free:
	free(table);
}

/* The CPU that takes an interrupt now; the first one where several may. */
static int cpu_of_irq(const char *irq)
{
	char path[96];
	FILE *file;
	int cpu = -1;

	snprintf(path, sizeof(path), "/proc/irq/%.16s/effective_affinity_list", irq);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &cpu) != 1)
		cpu = -1;
	fclose(file);
	return cpu;
}

/*
 * By the address on the bus, as the driver has it: /sys/class/net has the interfaces of the network
 * namespace in which it was mounted, and others have the same names.
 */
static void read_irqs(struct nic_facts *nic, const char *pci_address)
{
	bool taken[CPUS_MAX] = { false };
	struct dirent *entry;
	char path[96];
	DIR *dir;
	int cpu;

	if (!*pci_address || strchr(pci_address, '/'))
		return;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.31s/msi_irqs", pci_address);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		cpu = *entry->d_name == '.' ? -1 : cpu_of_irq(entry->d_name);
		if (cpu < 0 || cpu >= CPUS_MAX)
			continue;
		nic->irqs++;
		nic->irq_cpus += !taken[cpu];
		taken[cpu] = true;
	}
	closedir(dir);
}

static void read_driver(struct nic_facts *nic)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	if (ethtool(nic->name, &info))
		return;
	snprintf(nic->driver, sizeof(nic->driver), "%.31s", info.driver);
	read_version(nic, info.version);
	read_irqs(nic, info.bus_info);
}

int nic_look(struct nic_facts *nic, const char *name)
{
	struct ifreq ifr = { 0 };

	memset(nic, 0, sizeof(*nic));
	snprintf(nic->name, sizeof(nic->name), "%s", name);
	nic->ifindex = if_nametoindex(name);
	if (!nic->ifindex)
		return -ENODEV;
	if (!request(name, SIOCGIFMTU, &ifr))
		nic->mtu = ifr.ifr_mtu;
	if (!request(name, SIOCGIFFLAGS, &ifr))
		nic->up = ifr.ifr_flags & IFF_UP;
	nic->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	read_driver(nic);
	read_queues(nic);
	read_rss(nic);
	return 0;
}

int nic_set_mtu(const char *name, uint32_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	return request(name, SIOCSIFMTU, &ifr);
}

int nic_set_queues(const char *name, uint32_t queues)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	int ret = ethtool(name, &channels);

	if (ret)
		return ret;
	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = queues;
	return ethtool(name, &channels);
}

int nic_set_lro(const char *name, bool on)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	int ret = ethtool(name, &flags);

	if (ret)
		return ret;
	flags.cmd = ETHTOOL_SFLAGS;
	flags.data = on ? flags.data | ETH_FLAG_LRO : flags.data & ~ETH_FLAG_LRO;
	return ethtool(name, &flags);
}
