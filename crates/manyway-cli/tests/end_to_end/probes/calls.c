/* Makes socket calls in many orders and prints what each returned, never a time or a chosen port.
 * `calls serve` answers each connection as the first byte it reads asks; `calls ADDRESS` asks. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT = 9000, NOBODYS_PORT = 9001, PATIENCE = 20000 };
static struct sockaddr_in at = {.sin_family = AF_INET};

static long say(const char *what, long r) {
    printf("%s: %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
    return r;
}

static const char *name(struct sockaddr_storage *a) {
    static char text[80];
    if (a->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a)->sin6_addr, text, sizeof text);
    else
        inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, text, sizeof text);
    return text;
}

static int port(struct sockaddr_storage *a) { return ntohs(((struct sockaddr_in *)a)->sin_port); }

/* Prints the port only where it is the service's. */
static void names(int s) {
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (say("getsockname", getsockname(s, (void *)&a, &n)) == 0)
        printf(" own %s %d length %d\n", name(&a), port(&a) == PORT ? PORT : port(&a) > 0, (int)n);
    n = sizeof a;
    if (say("getpeername", getpeername(s, (void *)&a, &n)) == 0)
        printf(" peer %s %d length %d\n", name(&a), port(&a) == PORT ? PORT : port(&a) > 0, (int)n);
}

static void error(int s) {
    int e = -1;
    socklen_t n = sizeof e;
    getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n);
    printf("SO_ERROR %s\n", e ? strerrorname_np(e) : "0");
}

static void events(const char *what, int s, short wanted, int timeout) {
    struct pollfd p = {s, wanted, 0};
    int r = poll(&p, 1, timeout);
    printf("%s: poll %d events %x\n", what, r, p.revents);
}

static int fresh(void) { return socket(AF_INET, SOCK_STREAM, 0); }

static int dial(char wish) {
    int s = fresh();
    say("connect", connect(s, (void *)&at, sizeof at));
    say("send", send(s, &wish, 1, MSG_NOSIGNAL));
    return s;
}

static void reset(int s) {
    struct linger l = {1, 0};
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(s);
}

static void blocking(void) {
    puts("== blocking");
    int s = dial('e');
    char b[64];
    names(s), error(s);
    say("connect again", connect(s, (void *)&at, sizeof at));
    say("listen", listen(s, 1));
    say("bind", bind(s, (void *)&(struct sockaddr_in){.sin_family = AF_INET}, sizeof at));
    say("accept", accept(s, 0, 0));
    events("idle", s, POLLIN | POLLOUT | POLLRDHUP, 0);
    say("recv, none", recv(s, b, sizeof b, MSG_DONTWAIT));
    say("send", send(s, "ping", 4, MSG_NOSIGNAL));
    int queued = 0;
    for (int i = 0; i < PATIENCE / 5 && queued < 4; i++) usleep(5000), ioctl(s, FIONREAD, &queued);
    printf("FIONREAD %d\n", queued);
    events("answered", s, POLLIN | POLLOUT | POLLRDHUP, PATIENCE);
    say("peek", recv(s, b, 3, MSG_PEEK));
    say("peek with size", recv(s, b, 3, MSG_PEEK | MSG_TRUNC));
    struct sockaddr_in from;
    socklen_t n = sizeof from;
    say("recvfrom", recvfrom(s, b, 2, 0, (void *)&from, &n));
    printf("address length %d\n", (int)n);
    say("recv the rest", recv(s, b, sizeof b, 0));
    int d = dup(s);
    close(s);
    say("send by the duplicate", send(d, "dup", 3, 0));
    say("recv all", recv(d, b, 3, MSG_WAITALL));
    if (!fork()) {
        send(d, "child", 5, 0);
        _exit(0);
    }
    wait(0);
    say("what the child sent comes back", recv(d, b, 5, MSG_WAITALL));
    struct iovec parts[2] = {{"vec", 3}, {"tor", 3}};
    say("writev", writev(d, parts, 2));
    say("readv", recv(d, b, 6, MSG_WAITALL));
    say("send out of band", send(d, "", 0, 0));
    say("shutdown", shutdown(d, SHUT_WR));
    say("send after shutdown", send(d, "x", 1, MSG_NOSIGNAL));
    say("the end", recv(d, b, sizeof b, 0));
    events("ended", d, POLLIN | POLLOUT | POLLRDHUP, 0);
    say("shutdown again", shutdown(d, SHUT_RDWR));
    error(d);
    say("close", close(d));
}

static void nonblocking(void) {
    puts("== non-blocking");
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = epoll_create1(0);
    struct epoll_event v = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    char b[64];
    epoll_ctl(e, EPOLL_CTL_ADD, s, &v);
    say("epoll before", epoll_wait(e, &v, 1, 0));
    printf("events %x\n", v.events);
    say("connect", connect(s, (void *)&at, sizeof at));
    say("epoll", epoll_wait(e, &v, 1, PATIENCE));
    printf("events %x\n", v.events);
    error(s);
    say("connect again", connect(s, (void *)&at, sizeof at));
    say("and again", connect(s, (void *)&at, sizeof at));
    names(s);
    say("epoll, no edge", epoll_wait(e, &v, 1, 0));
    say("recv", recv(s, b, sizeof b, 0));
    say("send", send(s, "hX", 2, MSG_NOSIGNAL));
    say("shutdown", shutdown(s, SHUT_WR));
    events("the answer and the end", s, 0, PATIENCE);
    say("recv", recv(s, b, 1, 0));
    say("recv", recv(s, b, 1, 0));
    close(e), close(s);
}

static void refused(void) {
    puts("== refused");
    struct sockaddr_in nobody = at;
    nobody.sin_port = htons(NOBODYS_PORT);
    int s = fresh();
    say("connect", connect(s, (void *)&nobody, sizeof nobody));
    error(s), names(s);
    events("refused", s, POLLIN | POLLOUT, 0);
    say("connect again, elsewhere", connect(s, (void *)&at, sizeof at));
    say("send", send(s, "c", 1, MSG_NOSIGNAL));
    char b[8];
    say("recv", recv(s, b, 1, 0));
    close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("connect", connect(s, (void *)&nobody, sizeof nobody));
    events("refused", s, POLLIN | POLLOUT | POLLRDHUP, PATIENCE);
    error(s), error(s), names(s);
    say("recv", recv(s, b, 1, 0));
    say("send", send(s, b, 1, MSG_NOSIGNAL));
    close(s);
}

static void resets(void) {
    puts("== resets");
    char b[64];
    int s = dial('r');
    say("recv", recv(s, b, sizeof b, 0));
    events("reset", s, POLLIN | POLLOUT | POLLRDHUP, 0);
    error(s), names(s);
    say("recv", recv(s, b, sizeof b, 0));
    say("send", send(s, b, 1, MSG_NOSIGNAL));
    close(s);
    s = dial('w');
    say("recv", recv(s, b, 1, 0));
    reset(s);
    s = dial('c');
    say("recv", recv(s, b, sizeof b, 0));
    say("send to a closed one", send(s, "x", 1, MSG_NOSIGNAL));
    long r = 1;
    for (int i = 0; i < PATIENCE / 5 && r > 0; i++) usleep(5000), r = send(s, "x", 1, MSG_NOSIGNAL);
    say("send until the reset", r);
    say("recv", recv(s, b, sizeof b, 0));
    close(s);
}

static void anew(void) {
    puts("== anew");
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    char b[8];
    int s = dial('w');
    say("recv", recv(s, b, 1, 0));
    say("dissolve", connect(s, &unspecified, sizeof unspecified));
    names(s);
    say("connect again", connect(s, (void *)&at, sizeof at));
    say("send", send(s, "b", 1, MSG_NOSIGNAL));
    say("banner", recv(s, b, 5, MSG_WAITALL));
    names(s);
    close(s);
}

static void families(const char *address) {
    puts("== families");
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    char text[80], b[8];
    snprintf(text, sizeof text, "::ffff:%s", address);
    inet_pton(AF_INET6, text, &mapped.sin6_addr);
    int s = socket(AF_INET6, SOCK_STREAM, 0), yes = 1;
    say("connect", connect(s, (void *)&mapped, sizeof mapped));
    names(s);
    say("send", send(s, "b", 1, 0));
    say("banner", recv(s, b, 5, MSG_WAITALL));
    close(s);
    s = socket(AF_INET6, SOCK_STREAM, 0);
    setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    say("connect, IPv6 only", connect(s, (void *)&mapped, sizeof mapped));
    close(s);
    s = fresh();
    say("connect, wrong family", connect(s, (void *)&mapped, sizeof mapped));
    say("connect, short", connect(s, (void *)&at, 8));
    say("connect, bad address", connect(s, (void *)8, sizeof at));
    close(s);
    say("connect, closed", connect(s, (void *)&at, sizeof at));
    s = fresh();
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_port = htons(34567);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    say("bind", bind(s, (void *)&own, sizeof own));
    say("connect", connect(s, (void *)&at, sizeof at));
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    getsockname(s, (void *)&a, &n);
    printf("bound to %s %d\n", name(&a), port(&a));
    say("send", send(s, "w", 1, 0));
    say("recv", recv(s, b, 1, 0));
    close(s);
}

static void serve_one(int s, int number) {
    char b[65536], wish = 0;
    printf("-- connection %d\n", number);
    say("wish", recv(s, &wish, 1, 0));
    printf("wish %d\n", wish);
    long r, total = 0;
    switch (wish) {
    case 'e':
        while ((r = recv(s, b, sizeof b, 0)) > 0) total += send(s, b, r, MSG_NOSIGNAL);
        say("echoed until", r);
        printf("total %ld\n", total);
        break;
    case 'h':
        while ((r = recv(s, b, sizeof b, 0)) > 0) total += r;
        printf("total %ld\n", total);
        events("half closed", s, POLLIN | POLLOUT | POLLRDHUP, 0);
        say("answer", send(s, "1", 1, MSG_NOSIGNAL));
        break;
    case 'r':
        reset(s);
        return;
    case 'w':
        send(s, "1", 1, MSG_NOSIGNAL);
        say("until", recv(s, b, sizeof b, 0));
        error(s), names(s);
        break;
    case 'b':
        say("banner", send(s, "hello", 5, MSG_NOSIGNAL));
        say("until", recv(s, b, sizeof b, 0));
        break;
    }
    say("close", close(s));
}

static int serve(int connections) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int l = fresh(), yes = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    say("bind", bind(l, (void *)&own, sizeof own));
    say("listen", listen(l, 16));
    for (int i = 0; i < connections; i++) {
        struct sockaddr_storage a;
        socklen_t n = sizeof a;
        int s;
        switch (i % 3) {
        case 0: s = accept(l, (void *)&a, &n); break;
        case 1: s = accept4(l, (void *)&a, &n, SOCK_CLOEXEC); break;
        default: s = accept(l, 0, 0);
        }
        if (i % 3 < 2) printf("accepted %s length %d\n", name(&a), (int)n);
        printf("cloexec %d mode %x\n", fcntl(s, F_GETFD), fcntl(s, F_GETFL));
        names(s);
        serve_one(s, i);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2) return serve(atoi(argv[2]));
    at.sin_port = htons(PORT);
    inet_pton(AF_INET, argv[1], &at.sin_addr);
    blocking(), nonblocking(), refused(), resets(), anew(), families(argv[1]);
    return 0;
}
