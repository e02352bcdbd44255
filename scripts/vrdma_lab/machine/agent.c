// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * Runs shell commands that come over a virtio serial port, any number of them
 * at once: the init of guests.  Without an argument, the commands come over
 * standard input, which is a socket, and every command is killed when it closes.
 *
 *   host to guest    R <id> <length>\n<script>   run the script with sh -c
 *                    K <id> <signal>\n           signal the script's process group
 *   guest to host    H 0 <uptime in ms>\n        ready for commands
 *                    O <id> <length>\n<bytes>    output, stdout and stderr together
 *                    X <id> <status>\n           ended; 128 + signal if killed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_JOBS = 64, HEADER_SIZE = 64, CHUNK = 16384 };

struct job {
	unsigned int id;
	pid_t pid;
	int output;	/* -1: closed */
	int status;	/* -1: still running */
};

static struct job jobs[MAX_JOBS];
static size_t job_count;

static void fail(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The other end has gone. */
static void end(void)
{
	for (size_t i = 0; i < job_count; i++)
		if (jobs[i].status < 0)
			kill(-jobs[i].pid, SIGKILL);
	exit(0);
}

static void write_all(int port, const void *data, size_t length)
{
	const char *p = data;

	while (length) {
		ssize_t n = write(port, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			end();
		if (n <= 0)
			fail("write to the host");
		p += n;
		length -= (size_t)n;
	}
}

/* The port reads as closed while the machine sleeps: whoever has it sleep makes this file. */
static int machine_sleeps(void)
{
	return !access("/tmp/sleeps", F_OK) && poll(NULL, 0, 50) == 0;
}

static void read_all(int port, void *data, size_t length)
{
	char *p = data;

	while (length) {
		ssize_t n = read(port, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && machine_sleeps())
			continue;
		if (n == 0)
			end();
		if (n < 0)
			fail("read from the host");
		p += n;
		length -= (size_t)n;
	}
}

static void send_header(int port, const char *format, unsigned int id, long value)
{
	char header[HEADER_SIZE];
	int length = snprintf(header, sizeof(header), format, id, value);

	write_all(port, header, (size_t)length);
}

static void start_job(int port, unsigned int id, size_t length, const sigset_t *inherited)
{
	char *script = malloc(length + 1);
	struct job *job = &jobs[job_count];
	int pipe_fds[2];

	if (!script)
		fail("memory for a script");
	read_all(port, script, length);
	script[length] = '\0';
	if (job_count == MAX_JOBS) {
		send_header(port, "X %u %ld\n", id, 125);
		free(script);
		return;
	}
	if (pipe2(pipe_fds, O_CLOEXEC))
		fail("pipe");
	job->id = id;
	job->output = pipe_fds[0];
	job->status = -1;
	job->pid = fork();
	if (job->pid < 0)
		fail("fork");
	if (job->pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, inherited, NULL);
		dup2(null, 0);
		dup2(pipe_fds[1], 1);
		dup2(pipe_fds[1], 2);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	free(script);
	job_count++;
}

static void handle_request(int port, const sigset_t *inherited)
{
	char header[HEADER_SIZE];
	size_t used = 0;
	unsigned int id;
	unsigned long value;

	do {
		if (used == sizeof(header) - 1)
			fail("request header too long");
		read_all(port, header + used, 1);
	} while (header[used++] != '\n');
	header[used] = '\0';
	if (sscanf(header, "R %u %lu", &id, &value) == 2) {
		start_job(port, id, value, inherited);
	} else if (sscanf(header, "K %u %lu", &id, &value) == 2) {
		for (size_t i = 0; i < job_count; i++)
			if (jobs[i].id == id && jobs[i].status < 0)
				kill(-jobs[i].pid, (int)value);
	} else {
		fail("unknown request");
	}
}

static void forward_output(int port, struct job *job)
{
	char data[CHUNK];
	ssize_t n = read(job->output, data, sizeof(data));

	if (n > 0) {
		send_header(port, "O %u %ld\n", job->id, n);
		write_all(port, data, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		close(job->output);
		job->output = -1;
	}
}

/*
 * A job is over when its process has ended and all that the process wrote is
 * read.  A process that the job left running may keep the pipe open.
 */
static void drain(int port, struct job *job)
{
	struct pollfd ready = { .fd = job->output, .events = POLLIN };

	while (job->output >= 0 && poll(&ready, 1, 0) > 0) {
		forward_output(port, job);
		ready.fd = job->output;
	}
	if (job->output >= 0)
		close(job->output);
}

static void reap(int port)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < job_count; i++)
			if (jobs[i].pid == pid)
				jobs[i].status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
								       WEXITSTATUS(status);
	for (size_t i = 0; i < job_count;) {
		if (jobs[i].status < 0) {
			i++;
			continue;
		}
		drain(port, &jobs[i]);
		send_header(port, "X %u %ld\n", jobs[i].id, jobs[i].status);
		jobs[i] = jobs[--job_count];
	}
}

static void on_child(int signal_number)
{
	(void)signal_number;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_child };
	struct timespec uptime;
	sigset_t blocked, unblocked;
	int port;

	port = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (port < 0)
		fail("open the port");
	signal(SIGPIPE, SIG_IGN);
	/*
	 * SIGCHLD is let in only while waiting, so that none is missed between
	 * reap() and ppoll().
	 */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	sigaction(SIGCHLD, &action, NULL);
	clock_gettime(CLOCK_BOOTTIME, &uptime);
	send_header(port, "H %u %ld\n", 0, uptime.tv_sec * 1000 + uptime.tv_nsec / 1000000);
	for (;;) {
		struct pollfd fds[MAX_JOBS + 1] = { { .fd = port, .events = POLLIN } };
		size_t watched = job_count;

		for (size_t i = 0; i < watched; i++)
			fds[i + 1] = (struct pollfd){ .fd = jobs[i].output, .events = POLLIN };
		if (ppoll(fds, watched + 1, NULL, &unblocked) > 0) {
			for (size_t i = 0; i < watched; i++)
				if (fds[i + 1].revents && jobs[i].output >= 0)
					forward_output(port, &jobs[i]);
			if (fds[0].revents & POLLIN)
				handle_request(port, &unblocked);
		}
		reap(port);
	}
}
