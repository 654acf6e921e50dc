/* The floor of the comparison: a server that does what every server must, and nothing else.
 *
 *     floor ADDRESS FANS_PORT POSTS_PORT
 *
 * One thread, one epoll set, level-triggered. A fan is greeted when it is accepted, and whatever it says
 * first is answered with a status; from then on it gets every line that comes in at the second port, which is answered
 * with `ok` once the line was written to all. One system call an action: accept4, epoll_ctl, read and two writes a fan,
 * a write a delivery. A fan that does not read is written to as far as its socket takes it, and the rest is lost to it.
 * It runs until it is ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 65535
#define BATCH 512

enum role { NOBODY, GREETED, WATCHING, REPORTER };

static const char WELCOME[] = "Welcome to Match Stream.\r\nSend V:2:<user> to watch.\r\n";
static const char STATUS[] = "2011-09-10 18:00:00: status:\n\thome: elp\n\tvisit: tig\n\tperiod: first\n\r\n";

static enum role *role_of; /* by file descriptor */
static int highest = -1;   /* the largest descriptor of a fan so far */

static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static int listen_at(const char *address, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    at.sin_addr.s_addr = inet_addr(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0)
        fail(port);
    return fd;
}

/* Accept whoever waits. A socket is new, so the kernel takes the greeting whole; one that is gone shows when read. */
static void accept_all(int epoll, int listener, enum role role)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        role_of[fd] = role;
        if (role == GREETED) {
            highest = fd > highest ? fd : highest;
            (void)!send(fd, WELCOME, sizeof WELCOME - 1, MSG_NOSIGNAL);
        }
        watch(epoll, fd);
    }
}

static void send_to_all(const char *line, size_t length)
{
    for (int fd = 0; fd <= highest; fd++)
        if (role_of[fd] == WATCHING)
            (void)!send(fd, line, length, MSG_NOSIGNAL);
}

/* Send each complete line on, acknowledge it, and keep what has no end yet. There is one reporter. */
static void take_lines(int fd, const char *said, size_t length)
{
    static char kept[1 << 16];
    static size_t filled;
    char *begin = kept, *end;
    if (filled + length > sizeof kept)
        filled = 0; /* a line that long is none of the harness's */
    memcpy(kept + filled, said, length);
    filled += length;
    while ((end = memchr(begin, '\n', filled - (begin - kept))) != NULL) {
        send_to_all(begin, end + 1 - begin);
        (void)!send(fd, "ok\n", 3, MSG_NOSIGNAL);
        begin = end + 1;
    }
    filled -= begin - kept;
    memmove(kept, begin, filled);
}

static void hear(int fd)
{
    char said[4096];
    ssize_t length = read(fd, said, sizeof said);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        role_of[fd] = NOBODY;
        close(fd);
    } else if (role_of[fd] == REPORTER) {
        take_lines(fd, said, length);
    } else if (role_of[fd] == GREETED) {
        role_of[fd] = WATCHING;
        (void)!send(fd, STATUS, sizeof STATUS - 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event ready[BATCH];
    if (argc != 4) {
        fprintf(stderr, "usage: floor ADDRESS FANS_PORT POSTS_PORT\n");
        return 2;
    }
    int epoll = epoll_create1(0), fans = listen_at(argv[1], argv[2]), posts = listen_at(argv[1], argv[3]);
    role_of = calloc(sysconf(_SC_OPEN_MAX), sizeof *role_of);
    if (epoll < 0 || role_of == NULL)
        fail("cannot start");
    watch(epoll, fans);
    watch(epoll, posts);
    for (;;) {
        int count = epoll_wait(epoll, ready, BATCH, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd == fans)
                accept_all(epoll, fans, GREETED);
            else if (fd == posts)
                accept_all(epoll, posts, REPORTER);
            else
                hear(fd);
        }
    }
}
