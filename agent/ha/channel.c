/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"

enum {
	HELLO_MS = 200,
	/* At one readiness: then timers and other sockets have their turn. */
	RECEIVE_AT_ONCE = 32,
	/* What all peers may have under way, with the kernel's own share of it. */
	SOCKET_BUFFER = 8 << 20,
};

struct peer {
	struct session *session; /* NULL: no such peer */
	struct sockaddr_in6 addr;
	struct channel_counters counters;
};

struct channel {
	struct loop *loop;
	int socket, timer;
	bool v4;
	struct sockaddr_in6 addr;
	struct secrets secrets;
	struct channel_user users[CHANNEL_KINDS];
	struct peer peers[CHANNEL_PEERS_MAX];
	uint64_t strangers;
};

const char *channel_refusal_name(enum session_verdict reason)
{
	static const char *const names[SESSION_VERDICTS] = {
		[SESSION_TAKEN] = "none",	  [SESSION_MALFORMED] = "malformed",
		[SESSION_VERSION_OF] = "version", [SESSION_KEY_UNKNOWN] = "key_unknown",
		[SESSION_STALE] = "stale",	  [SESSION_FORGED] = "forged",
		[SESSION_REPLAYED] = "replayed",
	};

	return names[reason];
}

/* IPv4 as in ::ffff:0:0/96, so that there is one form of an address. */
static int parse_address(const char *text, struct sockaddr_in6 *addr, bool *v4)
{
	char host[CONF_TEXT_MAX];
	struct in_addr four;
	uint16_t port;

	memset(addr, 0, sizeof(*addr));
	addr->sin6_family = AF_INET6;
	if (conf_split_address(text, host, &port))
		return -EINVAL;
	addr->sin6_port = htons(port);
	*v4 = inet_pton(AF_INET, host, &four) == 1;
	if (!*v4)
		return inet_pton(AF_INET6, host, &addr->sin6_addr) == 1 ? 0 : -EINVAL;
	addr->sin6_addr.s6_addr[10] = addr->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&addr->sin6_addr.s6_addr[12], &four, sizeof(four));
	return 0;
}

static bool is_any(const struct sockaddr_in6 *addr, bool v4)
{
	static const uint8_t zero[4];

	return v4 ? !memcmp(&addr->sin6_addr.s6_addr[12], zero, sizeof(zero)) :
		    IN6_IS_ADDR_UNSPECIFIED(&addr->sin6_addr);
}

static socklen_t to_kernel(const struct channel *channel, const struct sockaddr_in6 *addr,
			   struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (!channel->v4) {
		memcpy(out, addr, sizeof(*addr));
		return sizeof(*addr);
	}
	four->sin_family = AF_INET;
	four->sin_port = addr->sin6_port;
	memcpy(&four->sin_addr, &addr->sin6_addr.s6_addr[12], sizeof(four->sin_addr));
	return sizeof(*four);
}

static void end_bytes(const struct sockaddr_in6 *addr, uint8_t bytes[18])
{
	memcpy(bytes, &addr->sin6_addr, 16);
	memcpy(bytes + 16, &addr->sin6_port, 2);
}

static struct peer *peer_at(struct channel *channel, int peer)
{
	if (peer < 0 || peer >= CHANNEL_PEERS_MAX || !channel->peers[peer].session)
		return NULL;
	return &channel->peers[peer];
}

static int find_peer(const struct channel *channel, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

	for (int i = 0; i < CHANNEL_PEERS_MAX; i++) {
		const struct peer *peer = &channel->peers[i];

		if (!peer->session)
			continue;
		if (channel->v4 ? !memcmp(&four->sin_addr, &peer->addr.sin6_addr.s6_addr[12], 4) &&
					  four->sin_port == peer->addr.sin6_port :
				  !memcmp(&six->sin6_addr, &peer->addr.sin6_addr, 16) &&
					  six->sin6_port == peer->addr.sin6_port)
			return i;
	}
	return -1;
}

static int transmit(struct channel *channel, struct peer *peer, const uint8_t *bytes, int len)
{
	struct sockaddr_storage to;
	socklen_t to_len = to_kernel(channel, &peer->addr, &to);

	if (len < 0)
		return len;
	if (sendto(channel->socket, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   to_len) == len) {
		peer->counters.sent++;
		peer->counters.sent_bytes += len;
		return 0;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
		peer->counters.blocked++;
		return -EAGAIN;
	}
	peer->counters.failed++;
	return -errno;
}

int channel_send(struct channel *channel, int number, enum channel_kind kind, const void *data,
		 size_t len)
{
	struct peer *peer = peer_at(channel, number);
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	if (!peer)
		return -ENOTCONN;
	return transmit(channel, peer, bytes, session_seal(peer->session, kind, data, len, bytes));
}

static void send_hello(struct channel *channel, struct peer *peer)
{
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	transmit(channel, peer, bytes, session_hello(peer->session, bytes));
}

static void say_hello(void *ctx)
{
	struct channel *channel = ctx;

	for (int i = 0; i < CHANNEL_PEERS_MAX; i++) {
		struct peer *peer = &channel->peers[i];

		if (peer->session && !session_is_open(peer->session))
			send_hello(channel, peer);
	}
}

static void session_began(struct channel *channel, int number)
{
	channel->peers[number].counters.sessions++;
	channel_send(channel, number, CHANNEL_HELLO, NULL, 0);
	for (int kind = 0; kind < CHANNEL_KINDS; kind++) {
		const struct channel_user *user = &channel->users[kind];

		if (user->began)
			user->began(user->ctx, number);
	}
}

static void take(struct channel *channel, int number, const uint8_t *bytes, size_t len)
{
	static struct session_datagram datagram; /* a callback never receives */
	uint8_t answer[SESSION_DATAGRAM_MAX];
	struct peer *peer = &channel->peers[number];
	struct session *session = peer->session;
	const struct channel_user *user;
	enum session_verdict verdict = session_take(session, bytes, len, &datagram);

	if (verdict) {
		peer->counters.refused[verdict]++;
		return;
	}
	peer->counters.received++;
	peer->counters.received_bytes += len;
	if (datagram.answer_to)
		transmit(channel, peer, answer,
			 session_answer(session, datagram.answer_to, answer));
	if (datagram.began)
		session_began(channel, number);
	user = &channel->users[datagram.kind];
	if (user->received && peer->session == session)
		user->received(user->ctx, number, datagram.data, datagram.len);
}

static void receive(void *ctx, int fd, uint32_t events)
{
	struct channel *channel = ctx;
	uint8_t bytes[SESSION_DATAGRAM_MAX + 1]; /* one more: too long is malformed */
	struct sockaddr_storage from;
	socklen_t from_len;
	ssize_t len;
	int peer;

	(void)events;
	for (int i = 0; i < RECEIVE_AT_ONCE; i++) {
		from_len = sizeof(from);
		len = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
			       &from_len);
		if (len < 0)
			return;
		peer = find_peer(channel, &from);
		if (peer < 0)
			channel->strangers++;
		else
			take(channel, peer, bytes, len);
	}
}

static void set_buffer(int fd, int forced, int plain)
{
	int size = SOCKET_BUFFER;

	/* more than net.core.rmem_max is for those who may administer the network */
	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int listen_on(struct channel *channel)
{
	struct sockaddr_storage addr;
	socklen_t len = to_kernel(channel, &channel->addr, &addr);
	int ret;

	channel->socket = socket(addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (channel->socket < 0 || bind(channel->socket, (struct sockaddr *)&addr, len))
		return -errno;
	set_buffer(channel->socket, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(channel->socket, SO_SNDBUFFORCE, SO_SNDBUF);
	ret = loop_watch(channel->loop, channel->socket, EPOLLIN, receive, channel);
	if (ret)
		return ret;
	channel->timer = loop_timer(channel->loop, say_hello, channel);
	if (channel->timer < 0)
		return channel->timer;
	loop_timer_every(channel->timer, HELLO_MS);
	return 0;
}

struct channel *channel_open(struct loop *loop, const char *address, const struct secrets *secrets,
			     struct err *err)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int ret;

	if (!channel) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	channel->loop = loop;
	channel->secrets = *secrets;
	channel->socket = channel->timer = -1;
	ret = parse_address(address, &channel->addr, &channel->v4);
	if (ret || is_any(&channel->addr, channel->v4)) {
		err_set(err, STATUS_CONFIG, EINVAL,
			"%s: not ADDRESS:PORT with the address under which the peers know this "
			"node",
			address);
		goto fail;
	}
	ret = listen_on(channel);
	if (!ret)
		return channel;
	err_set(err, STATUS_SYSTEM, ret, "%s: cannot listen for other agents: %s", address,
		strerror(-ret));
fail:
	channel_close(channel);
	return NULL;
}

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	for (int i = 0; i < CHANNEL_PEERS_MAX; i++)
		session_free(channel->peers[i].session);
	loop_timer_free(channel->loop, channel->timer);
	if (channel->socket >= 0) {
		loop_watch(channel->loop, channel->socket, 0, NULL, NULL);
		close(channel->socket);
	}
	secrets_forget(&channel->secrets);
	free(channel);
}

void channel_set_secrets(struct channel *channel, const struct secrets *secrets)
{
	channel->secrets = *secrets;
	for (int i = 0; i < CHANNEL_PEERS_MAX; i++) {
		if (channel->peers[i].session)
			session_rekey(channel->peers[i].session, &channel->secrets);
	}
}

int channel_add_peer(struct channel *channel, const char *address, struct err *err)
{
	struct sockaddr_in6 addr;
	uint8_t mine[18], theirs[18];
	int free_place = -1;
	bool v4;

	if (parse_address(address, &addr, &v4) || is_any(&addr, v4) || v4 != channel->v4)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "%s: not the ADDRESS:PORT of a peer, of the same kind as this "
			       "node's",
			       address);
	end_bytes(&channel->addr, mine);
	end_bytes(&addr, theirs);
	if (!memcmp(mine, theirs, sizeof(mine)))
		return err_set(err, STATUS_CONFIG, EINVAL, "%s: the peer is this node itself",
			       address);
	for (int i = CHANNEL_PEERS_MAX - 1; i >= 0; i--) {
		const struct peer *peer = &channel->peers[i];

		if (!peer->session)
			free_place = i;
		else if (!memcmp(&peer->addr, &addr, sizeof(addr)))
			return err_set(err, STATUS_CONFIG, EEXIST, "%s: the same peer twice",
				       address);
	}
	if (free_place < 0)
		return err_set(err, STATUS_CONFIG, E2BIG, "more than %d peers", CHANNEL_PEERS_MAX);
	memset(&channel->peers[free_place], 0, sizeof(struct peer));
	channel->peers[free_place].addr = addr;
	channel->peers[free_place].session = session_new(&channel->secrets, mine, theirs);
	if (!channel->peers[free_place].session)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	send_hello(channel, &channel->peers[free_place]);
	return free_place;
}

int channel_restart(struct channel *channel, int number)
{
	struct peer *peer = peer_at(channel, number);
	uint8_t mine[18], theirs[18];
	struct session *session;

	if (!peer)
		return 0;
	end_bytes(&channel->addr, mine);
	end_bytes(&peer->addr, theirs);
	session = session_new(&channel->secrets, mine, theirs);
	if (!session)
		return -ENOMEM;
	session_free(peer->session);
	peer->session = session;
	send_hello(channel, peer);
	return 0;
}

void channel_remove_peer(struct channel *channel, int number)
{
	struct peer *peer = peer_at(channel, number);

	if (!peer)
		return;
	session_free(peer->session);
	peer->session = NULL;
}

void channel_use(struct channel *channel, enum channel_kind kind, const struct channel_user *user)
{
	static const struct channel_user nobody;

	channel->users[kind] = user ? *user : nobody;
}

bool channel_is_open(const struct channel *channel, int number)
{
	const struct peer *peer = peer_at((struct channel *)channel, number);

	return peer && session_is_open(peer->session);
}

const struct channel_counters *channel_counters(const struct channel *channel, int number)
{
	return &channel->peers[number].counters;
}

uint64_t channel_strangers(const struct channel *channel)
{
	return channel->strangers;
}
