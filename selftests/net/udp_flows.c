/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * udp_flows: many UDP flows of many hosts from one process. It plays the
 * router in front of the hosts: it makes their frames by hand, and takes the
 * answers from the wire.
 *
 * Each datagram carries the number of its flow and of its round. The answer
 * has to bring both back to the address and port of that very flow, once.
 * With --unanswered nobody answers, and the datagrams go out at a steady rate.
 *
 * Prints one line of JSON: sent, answered, wrong, seconds.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64,
	DESTINATIONS_MAX = 256,
	PORT_MIN = 1024,
	PORTS = 64000, /* of each host */
	PATIENCE_MS = 3000,
	BUFFER = 128 << 20,
};

#define LATE_MAX 0.01 /* seconds that are caught up at most */

struct body {
	uint64_t seed;
	uint32_t flow;
	uint32_t round;
} __attribute__((packed));

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	struct body body;
} __attribute__((packed));

struct flow {
	uint32_t host; /* in host order */
	uint16_t port;
	const struct sockaddr_in *to;
};

struct run {
	int fd;
	const char *dev;
	struct ether_addr gateway, own;
	uint32_t first_host, hosts;
	struct sockaddr_in to[DESTINATIONS_MAX];
	uint32_t destinations;
	uint32_t flows, rounds, window, rate;
	uint64_t seed;
	uint8_t *answered; /* by flow: the last round that was answered */
	uint64_t sent, back, wrong;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "udp_flows: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Each flow has its own (host, port, destination). */
static struct flow flow_of(const struct run *run, uint32_t number)
{
	uint32_t of_host = number / run->hosts;
	uint32_t turn = of_host / PORTS, port = of_host % PORTS;

	return (struct flow){
		.host = run->first_host + number % run->hosts,
		.port = PORT_MIN + port,
		.to = &run->to[(turn + port) % run->destinations],
	};
}

static uint16_t checksum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += byte[i] << 8 | byte[i + 1];
	if (size % 2)
		sum += byte[size - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t udp_sum(const struct frame *frame)
{
	uint32_t pseudo = IPPROTO_UDP + ntohs(frame->udp.len);

	return checksum(&frame->udp, sizeof(frame->udp) + sizeof(frame->body),
			pseudo + checksum(&frame->ip.saddr, 8, 0));
}

static void make(const struct run *run, struct frame *frame, uint32_t number, uint32_t round)
{
	struct flow flow = flow_of(run, number);
	uint16_t sum;

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->eth.ether_dhost, &run->gateway, ETH_ALEN);
	memcpy(frame->eth.ether_shost, &run->own, ETH_ALEN);
	frame->eth.ether_type = htons(ETHERTYPE_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(sizeof(*frame) - sizeof(frame->eth));
	frame->ip.ttl = 64;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.saddr = htonl(flow.host);
	frame->ip.daddr = flow.to->sin_addr.s_addr;
	frame->ip.check = htons(~checksum(&frame->ip, sizeof(frame->ip), 0));
	frame->udp.source = htons(flow.port);
	frame->udp.dest = flow.to->sin_port;
	frame->udp.len = htons(sizeof(frame->udp) + sizeof(frame->body));
	frame->body = (struct body){ run->seed, number, round };
	sum = ~udp_sum(frame);
	frame->udp.check = htons(sum ? sum : 0xffff);
}

static bool is_right(struct run *run, const struct frame *frame, uint32_t round)
{
	struct flow flow;

	if (frame->body.flow >= run->flows || frame->body.round != round ||
	    run->answered[frame->body.flow] == (uint8_t)(round + 1))
		return false;
	flow = flow_of(run, frame->body.flow);
	run->answered[frame->body.flow] = round + 1;
	return frame->ip.daddr == htonl(flow.host) && frame->udp.dest == htons(flow.port) &&
	       frame->ip.saddr == flow.to->sin_addr.s_addr &&
	       frame->udp.source == flow.to->sin_port && udp_sum(frame) == 0xffff &&
	       checksum(&frame->ip, sizeof(frame->ip), 0) == 0xffff;
}

static void send_some(struct run *run, uint32_t first, uint32_t count, uint32_t round)
{
	static struct frame frame[BATCH];
	struct mmsghdr message[BATCH] = { 0 };
	struct iovec vector[BATCH];
	int ret;

	for (uint32_t i = 0; i < count; i++) {
		make(run, &frame[i], first + i, round);
		vector[i] = (struct iovec){ &frame[i], sizeof(frame[i]) };
		message[i].msg_hdr.msg_iov = &vector[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	for (uint32_t done = 0; done < count; done += ret) {
		ret = sendmmsg(run->fd, message + done, count - done, 0);
		if (ret < 0 && errno == ENOBUFS) { /* the cable is full for a moment */
			usleep(200);
			ret = 0;
		}
		if (ret < 0)
			die("cannot send");
	}
	run->sent += count;
}

static uint32_t receive_some(struct run *run, uint32_t round)
{
	static struct frame frame[BATCH];
	struct mmsghdr message[BATCH] = { 0 };
	struct iovec vector[BATCH];
	uint32_t mine = 0;
	int got;

	for (int i = 0; i < BATCH; i++) {
		vector[i] = (struct iovec){ &frame[i], sizeof(frame[i]) };
		message[i].msg_hdr.msg_iov = &vector[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	got = recvmmsg(run->fd, message, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++) {
		if (message[i].msg_len < sizeof(*frame) || frame[i].ip.protocol != IPPROTO_UDP ||
		    frame[i].body.seed != run->seed)
			continue; /* somebody else's */
		mine++;
		run->wrong += !is_right(run, &frame[i], round);
	}
	run->back += mine;
	return mine;
}

/* Every flow once; false if answers stay away. */
static bool run_round(struct run *run, uint32_t round)
{
	struct pollfd in = { .fd = run->fd, .events = POLLIN };
	uint32_t sent = 0, back = 0, got, count;

	while (back < run->flows) {
		count = run->flows - sent;
		if (count > run->window - (sent - back))
			count = run->window - (sent - back);
		if (count > BATCH)
			count = BATCH;
		if (count) {
			send_some(run, sent, count, round);
			sent += count;
		}
		got = receive_some(run, round);
		back += got;
		if (!got && !count && poll(&in, 1, PATIENCE_MS) == 0)
			return false;
	}
	return true;
}

/* At a steady pace. What a busy machine makes late is not hurried after. */
static void run_unanswered(struct run *run)
{
	double due = now();
	uint32_t sent = 0, count;

	while (sent < run->flows) {
		if (now() < due) {
			poll(NULL, 0, 1); /* the pace, not a wait for somebody */
			continue;
		}
		count = run->flows - sent > BATCH ? BATCH : run->flows - sent;
		send_some(run, sent, count, 0);
		sent += count;
		due += (double)count / run->rate;
		if (due < now() - LATE_MAX)
			due = now() - LATE_MAX;
	}
}

static void open_socket(struct run *run)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	const int buffer = BUFFER, yes = 1;
	socklen_t size = sizeof(link);

	link.sll_ifindex = if_nametoindex(run->dev);
	run->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (!link.sll_ifindex || run->fd < 0 ||
	    setsockopt(run->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
	    setsockopt(run->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
	    bind(run->fd, (struct sockaddr *)&link, sizeof(link)) ||
	    getsockname(run->fd, (struct sockaddr *)&link, &size))
		die(run->dev);
	memcpy(&run->own, link.sll_addr, ETH_ALEN);
}

/* "ADDR:PORT,ADDR:PORT,..." */
static bool parse_destinations(struct run *run, char *text)
{
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		struct sockaddr_in *to = &run->to[run->destinations];
		char *colon = strchr(word, ':');

		if (!colon || run->destinations == DESTINATIONS_MAX)
			return false;
		*colon = '\0';
		if (inet_pton(AF_INET, word, &to->sin_addr) != 1)
			return false;
		to->sin_port = htons(atoi(colon + 1));
		run->destinations++;
	}
	return run->destinations > 0;
}

static const struct argp_option options[] = {
	{ "device", 'i', "NAME", 0, "where the NAT is", 0 },
	{ "gateway", 'g', "MAC", 0, "of the NAT", 0 },
	{ "host", 'h', "ADDR", 0, "first of the hosts", 0 },
	{ "hosts", 'n', "N", 0, "how many hosts there are (1)", 0 },
	{ "to", 't', "ADDR:PORT,...", 0, "destinations", 0 },
	{ "flows", 'f', "N", 0, "how many flows", 0 },
	{ "rounds", 'r', "N", 0, "datagrams of each flow (1)", 0 },
	{ "window", 'w', "N", 0, "datagrams on their way at once, at most (128)", 0 },
	{ "unanswered", 'u', "RATE", 0, "flows a second; nobody answers", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	struct in_addr host;

	switch (key) {
	case 'i':
		run->dev = arg;
		return 0;
	case 'g':
		return ether_aton_r(arg, &run->gateway) ? 0 : EINVAL;
	case 'h':
		if (inet_pton(AF_INET, arg, &host) != 1)
			return EINVAL;
		run->first_host = ntohl(host.s_addr);
		return 0;
	case 'n':
		run->hosts = atoi(arg);
		return run->hosts ? 0 : EINVAL;
	case 't':
		return parse_destinations(run, arg) ? 0 : EINVAL;
	case 'f':
		run->flows = atoi(arg);
		return 0;
	case 'r':
		run->rounds = atoi(arg);
		return run->rounds < UINT8_MAX ? 0 : EINVAL;
	case 'w':
		run->window = atoi(arg);
		return run->window ? 0 : EINVAL;
	case 'u':
		run->rate = atoi(arg);
		return 0;
	case ARGP_KEY_END:
		if (!run->dev || !run->first_host || !run->destinations || !run->flows)
			argp_error(state, "device, host, to and flows are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static struct run run = { .hosts = 1, .rounds = 1, .window = 128 };
	const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };
	double start;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run)) {
		fprintf(stderr, "udp_flows: bad option value\n");
		return 2;
	}
	open_socket(&run);
	run.answered = calloc(run.flows, 1);
	if (!run.answered)
		die("no memory");
	start = now();
	run.seed = (uint64_t)getpid() << 32 ^ (uint64_t)(start * 1e9);
	if (run.rate)
		run_unanswered(&run);
	for (uint32_t round = 0; !run.rate && round < run.rounds; round++) {
		if (!run_round(&run, round))
			break;
	}
	printf("{\"sent\": %llu, \"answered\": %llu, \"wrong\": %llu, \"seconds\": %.3f}\n",
	       (unsigned long long)run.sent, (unsigned long long)run.back,
	       (unsigned long long)run.wrong, now() - start);
	return 0;
}
