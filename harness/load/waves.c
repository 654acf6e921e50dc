/* A small load generator, to hold the harness's own against: the same fans, the same dialogue, the same clocks.
 *
 *     waves ADDRESS PORT[,PORT...] N C INTERVAL_MS HELLO kernel|read
 *
 * Sockets are made, bound and watched beforehand; at its moment a wave is C calls of connect(2) and nothing else. A fan
 * that heard a line says HELLO, in which `{user}` becomes `c` and its number, and is answered when it heard an empty
 * line ("\n\r\n"); what it hears after that are events, told apart by their empty lines. With `kernel` what arrives
 * has the kernel's stamp (SO_TIMESTAMPNS); with `read` that of the moment at which it was read, and what has
 * arrived is read after each connect(2).
 *
 * It writes `settled` when all were answered or have failed, goes on until standard input ends (which must not be a
 * file), and then writes one line of JSON. All times are CLOCK_REALTIME, which is what the kernel's stamps are: nobody may set the clock meanwhile.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define PORTS 256
#define FANS_AN_ADDRESS 4096
#define TIMEOUT_S 60.0

enum phase { PREPARED, CONNECTING, CONNECTED, ASKED, WATCHING, OVER };

struct fan {
    int fd;
    enum phase phase;
    double started, connected, welcomed, asked, answered;
    char tail[2]; /* of what it heard last: an empty line may be cut in the middle */
};

static struct fan *fans;
static int n, c, epoll, settled, ports[PORTS], listeners, kernel_stamps, input_ended;
static long receipts;
static double t0, interval;
static const char *server, *hello;

static void fail(const char *what)
{
    fprintf(stderr, "waves: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static struct sockaddr_in address_of(in_addr_t host, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = host};
}

/* The port is left to connect(2). An address of its own for every few thousand, since each has few ports. */
static void prepare(int i)
{
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in source = address_of(htonl(INADDR_LOOPBACK + 0x8000 + i / FANS_AN_ADDRESS), 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = i};
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        fail("bind");
    if (kernel_stamps && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes) < 0)
        fail("SO_TIMESTAMPNS");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
    fans[i] = (struct fan){.fd = fd};
}

static void end(struct fan *fan)
{
    settled += fan->phase < WATCHING;
    fan->phase = OVER;
    close(fan->fd);
}

static void start(int i)
{
    struct fan *fan = &fans[i];
    struct sockaddr_in to = address_of(inet_addr(server), ports[i % listeners]);
    fan->phase = CONNECTING;
    fan->started = now();
    if (connect(fan->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        end(fan);
}

/* A handshake is over a round trip after connect(2), whenever one looks; the kernel does not time one that was retried. */
static void connected(struct fan *fan)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(fan->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        fail("TCP_INFO");
    fan->connected = info.tcpi_total_retrans ? now() : fan->started + info.tcpi_rtt * 1e-6;
    fan->phase = CONNECTED;
}

static void ask(struct fan *fan)
{
    char line[1024];
    const char *user = strstr(hello, "{user}");
    int before = user == NULL ? (int)strlen(hello) : (int)(user - hello);
    int length = snprintf(line, sizeof line, "%.*s", before, hello);
    if (user != NULL)
        length += snprintf(line + length, sizeof line - length, "c%d%s", (int)(fan - fans), user + strlen("{user}"));
    fan->phase = ASKED;
    fan->asked = now();
    (void)!send(fan->fd, line, length, MSG_NOSIGNAL);
}

/* Count the empty lines in what was heard, whatever pieces it came in. */
static int empty_lines(struct fan *fan, const char *heard, ssize_t length)
{
    int found = 0;
    for (ssize_t i = 0; i < length; i++) {
        found += heard[i] == '\n' && fan->tail[1] == '\r' && fan->tail[0] == '\n';
        fan->tail[0] = fan->tail[1];
        fan->tail[1] = heard[i];
    }
    return found;
}

static void take(struct fan *fan, const char *heard, ssize_t length, double at)
{
    if (fan->phase == CONNECTED) {
        if (memchr(heard, '\n', length) != NULL) {
            fan->welcomed = at;
            ask(fan);
        }
        return;
    }
    int lines = empty_lines(fan, heard, length);
    if (fan->phase == ASKED && lines > 0) {
        fan->phase = WATCHING;
        fan->answered = at;
        settled++, lines--;
    }
    receipts += lines;
}

static double arrival(struct msghdr *message)
{
    struct cmsghdr *found = kernel_stamps ? CMSG_FIRSTHDR(message) : NULL;
    struct timespec at;
    if (found == NULL || found->cmsg_type != SCM_TIMESTAMPNS)
        return now();
    memcpy(&at, CMSG_DATA(found), sizeof at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static void hear(struct fan *fan, unsigned events)
{
    char heard[4096], control[64];
    if (fan->phase == PREPARED || fan->phase == OVER)
        return;
    if (fan->phase == CONNECTING && (events & EPOLLERR))
        return end(fan);
    if (fan->phase == CONNECTING)
        connected(fan);
    for (;;) {
        struct iovec into = {heard, sizeof heard};
        struct msghdr message = {
            .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)))
            return;
        ssize_t length = recvmsg(fan->fd, &message, 0);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length <= 0)
            return end(fan);
        take(fan, heard, length, arrival(&message));
        if (length < (ssize_t)sizeof heard && !(events & (EPOLLRDHUP | EPOLLHUP)))
            return;
    }
}

/* Take in what is there, or comes within that time; return how much that was. */
static int turn(int milliseconds)
{
    struct epoll_event ready[BATCH];
    char told[64];
    int count = epoll_wait(epoll, ready, BATCH, milliseconds);
    for (int i = 0; i < count; i++)
        if (ready[i].data.u32 == (unsigned)n) {
            if (read(0, told, sizeof told) <= 0) {
                input_ended = 1;
                epoll_ctl(epoll, EPOLL_CTL_DEL, 0, NULL);
            }
        } else {
            hear(&fans[ready[i].data.u32], ready[i].events);
        }
    return count;
}

/* Start fan after fan, each wave at its moment; return the number of those that were started. */
static double play(void)
{
    double in_waves = 0.0;
    t0 = now() + 0.05;
    for (int next = 0; settled < n && now() < t0 + n / c * interval + TIMEOUT_S;) {
        double left = next < n ? t0 + next / c * interval - now() : 1.0;
        if (left > 0.0) {
            turn(left > 0.002 ? (left > 0.1 ? 100 : (int)(left * 1e3) - 1) : 0);
            continue;
        }
        double began = now();
        for (int last = next + c < n ? next + c : n; next < last; next++) {
            start(next);
            if (!kernel_stamps)
                turn(0);
        }
        in_waves += now() - began;
        turn(0);
    }
    return in_waves;
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void print(const char *name, double *times, int count)
{
    double sum = 0.0;
    qsort(times, count, sizeof *times, by_size);
    for (int i = 0; i < count; i++)
        sum += times[i];
    if (count == 0)
        printf(",\"%s\":null", name);
    else
        printf(",\"%s\":{\"mean_s\":%.9f,\"p50_s\":%.9f,\"p99_s\":%.9f,\"max_s\":%.9f}", name, sum / count,
               times[(count + 1) / 2 - 1], times[(count * 99 + 99) / 100 - 1], times[count - 1]);
}

static void report(double in_waves, double cpu_connections, double cpu_receipts)
{
    double *late = calloc(n, sizeof *late), *art = calloc(n, sizeof *art), *response = calloc(n, sizeof *response);
    double *own = calloc(n, sizeof *own); /* late connects and late questions */
    int started = 0, done = 0;
    for (int i = 0; i < n; i++) {
        struct fan *fan = &fans[i];
        double intended = t0 + i / c * interval, greeted = fan->welcomed - fan->connected;
        if (fan->started > 0.0)
            late[started++] = fan->started - intended;
        if (fan->answered > 0.0) {
            double answer = fan->answered - fan->asked;
            art[done] = greeted > answer ? greeted : answer;
            own[done] = fan->started - intended + fan->asked - fan->welcomed;
            response[done++] = fan->answered - intended;
        }
    }
    printf("{\"n\":%d,\"answered\":%d,\"receipts\":%ld,\"start_s\":%.9f,\"cpu_connection_s\":%.9f,\"cpu_receipt_s\":%.9f",
           n, done, receipts, in_waves / n, cpu_connections / n, receipts ? cpu_receipts / receipts : 0.0);
    print("late", late, started);
    print("art", art, done);
    print("response", response, done);
    print("own", own, done);
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event input = {.events = EPOLLIN};
    if (argc != 8) {
        fprintf(stderr, "usage: waves ADDRESS PORT[,PORT...] N C INTERVAL_MS HELLO kernel|read\n");
        return 2;
    }
    server = argv[1], n = atoi(argv[3]), c = atoi(argv[4]), interval = atof(argv[5]) / 1e3, hello = argv[6];
    kernel_stamps = strcmp(argv[7], "kernel") == 0;
    for (char *port = strtok(argv[2], ","); port != NULL && listeners < PORTS; port = strtok(NULL, ","))
        ports[listeners++] = atoi(port);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(0), fans = calloc(n, sizeof *fans), input.data.u32 = n;
    if (epoll < 0 || fans == NULL)
        fail("cannot start");
    for (int i = 0; i < n; i++)
        prepare(i);
    double idle = cpu(), in_waves = play(), connecting = cpu();
    printf("settled\n");
    fflush(stdout);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input) < 0)
        fail("standard input");
    while (!input_ended)
        turn(-1);
    while (turn(0) > 0) /* what had arrived by then */
        ;
    report(in_waves, connecting - idle, cpu() - connecting);
    return 0;
}
