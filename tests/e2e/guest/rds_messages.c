// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Messages over RDS, which the kernel sends by RDMA: a sender, and a receiver that compares each
// message with the one that was to come.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rds.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 4000

static unsigned char expected[1 << 20], received[1 << 20];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address_of(const char *ip)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
		errno = EINVAL;
		die(ip);
	}
	return address;
}

// Each message has its own bytes, and so has each of its fragments.
static void fill(unsigned char *message, size_t size, unsigned int number)
{
	unsigned int x = number * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		message[i] = x >> 24;
	}
}

static void receive(int fd, unsigned int count, size_t size)
{
	for (unsigned int n = 0; n < count; n++) {
		ssize_t got = recv(fd, received, sizeof(received), 0);

		if (got < 0)
			die("recv");
		fill(expected, size, n);
		if ((size_t)got != size || memcmp(received, expected, size) != 0) {
			fprintf(stderr, "message %u is not what was sent\n", n);
			exit(1);
		}
	}
	printf("received %u\n", count);
}

static void send_all(int fd, const char *to, unsigned int count, size_t size)
{
	struct sockaddr_in peer = address_of(to);

	for (unsigned int n = 0; n < count; n++) {
		fill(expected, size, n);
		if (sendto(fd, expected, size, 0, (struct sockaddr *)&peer, sizeof(peer)) < 0)
			die("sendto");
	}
	printf("sent %u\n", count);
}

// Whether RDS has messages that it has not given to a connection yet.  A length of 0 asks for the
// length of their list alone, and is too short if there are any (rds_info_getsockopt()).
static bool has_unsent(int fd)
{
	socklen_t length = 0;

	if (getsockopt(fd, SOL_RDS, RDS_INFO_SEND_MESSAGES, NULL, &length) >= 0)
		return false;
	if (errno != ENOSPC)
		die("getsockopt");
	return true;
}

// Waits until all messages are on their way: close() drops the others (rds_send_drop_to()), which
// are all of them as long as RDS still connects.  RDS has no event for it.
static void wait_sent(int fd)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	while (has_unsent(fd))
		nanosleep(&pause, NULL);
}

// rds_messages OWN-IP COUNT SIZE [TO-IP]
int main(int argc, char **argv)
{
	if (argc < 4 || (size_t)atoi(argv[3]) > sizeof(received))
		return 2;
	struct sockaddr_in own = address_of(argv[1]);
	int fd = socket(AF_RDS, SOCK_SEQPACKET, 0);

	if (fd < 0)
		die("socket");
	// bind() succeeds only where RDS has a transport for the address.
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		die("bind");
	if (argc > 4) {
		send_all(fd, argv[4], atoi(argv[2]), atoi(argv[3]));
		wait_sent(fd);
	} else {
		printf("ready\n");
		fflush(stdout);
		receive(fd, atoi(argv[2]), atoi(argv[3]));
	}
	close(fd);
	return 0;
}
