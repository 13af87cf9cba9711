/* Calls accept in every way one program can, and prints what each call returned. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in at = {.sin_family = AF_INET};

static int listener(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof at;
    at.sin_port = 0;
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    bind(s, (void *)&at, sizeof at);
    listen(s, 128);
    getsockname(s, (void *)&at, &n);
    return s;
}

static int dial(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&at, sizeof at)) perror("connect");
    return s;
}

static void say(const char *what, int r) {
    printf("%s %s\n", what, r >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
}

static void lengths(void) {
    int l = listener();
    for (int room = 0; room <= 20; room += 4) {
        unsigned char b[32];
        struct sockaddr_in own;
        socklen_t n = room, m = sizeof own;
        int c = dial(), clean = 1, a;
        memset(b, 0xee, sizeof b);
        a = accept(l, (void *)b, &n);
        getsockname(c, (void *)&own, &m);
        for (int i = room; i < 32; i++) clean &= b[i] == 0xee;
        printf("room %d length %d clean %d same %d\n", room, (int)n, clean,
               memcmp(b, &own, room < 16 ? room : 16) == 0);
        close(a), close(c);
    }
    close(l);
}

static void flags(void) {
    int l = listener();
    int all[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK};
    for (int i = 0; i < 4; i++) {
        struct sockaddr_in p;
        socklen_t n = sizeof p;
        int c = dial(), a = accept4(l, (void *)&p, &n, all[i]);
        printf("flags %d: number %d cloexec %d mode %x\n", i, a - c, fcntl(a, F_GETFD),
               fcntl(a, F_GETFL));
        close(a), close(c);
    }
    struct sockaddr_in p;
    socklen_t n = sizeof p;
    say("bad flags", accept4(l, (void *)&p, &n, 1));
    printf("listener mode %x\n", fcntl(l, F_GETFL));
    close(l);
}

static void wrong(void) {
    struct sockaddr_in p;
    socklen_t n = sizeof p;
    int l = listener(), s = socket(AF_INET, SOCK_STREAM, 0), pipes[2];
    say("closed", accept(999, (void *)&p, &n));
    say("not listening", accept(s, (void *)&p, &n));
    say("pipe", (pipe(pipes), accept(pipes[0], (void *)&p, &n)));
    fcntl(l, F_SETFL, O_NONBLOCK);
    say("none", accept(l, (void *)&p, &n));
    say("none, no address", accept(l, 0, 0));
    fcntl(l, F_SETFL, 0);
    struct timeval t = {0, 100000};
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    say("timeout", accept(l, (void *)&p, &n));
    socklen_t m = sizeof t;
    getsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, &m);
    printf("timeout stays %d\n", (int)t.tv_usec);
    close(l);
}

static void pointers(void) {
    int l = listener(), c = dial(), e = dial(), f = dial();
    struct sockaddr_in p;
    socklen_t n = -1;
    say("negative length", accept(l, (void *)&p, &n));
    n = sizeof p;
    say("no length", accept(l, (void *)&p, 0));
    say("bad address", accept(l, (void *)16, &n));
    close(l), close(c), close(e), close(f);
}

static void crowded(void) {
    struct rlimit r, was;
    struct sockaddr_in p;
    socklen_t n = sizeof p;
    int l = listener(), c = dial();
    getrlimit(RLIMIT_NOFILE, &was);
    r = was, r.rlim_cur = c + 1;
    setrlimit(RLIMIT_NOFILE, &r);
    say("crowded", accept(l, (void *)&p, &n));
    setrlimit(RLIMIT_NOFILE, &was);
    say("room again", accept(l, (void *)&p, &n));
    close(l), close(c);
}

static volatile int rings;
static void ring(int s) { rings++; }

static void signals(void) {
    int l = listener();
    for (int restart = 0; restart < 2; restart++) {
        struct sigaction h = {.sa_handler = ring, .sa_flags = restart ? SA_RESTART : 0};
        sigaction(SIGALRM, &h, 0);
        rings = 0;
        pid_t child = fork();
        if (!child) {
            usleep(900000);
            dial();
            _exit(0);
        }
        struct itimerval t = {.it_value = {0, 200000}};
        setitimer(ITIMER_REAL, &t, 0);
        struct sockaddr_in p;
        socklen_t n = sizeof p;
        int a = accept(l, (void *)&p, &n);
        say(restart ? "restarting" : "interrupting", a);
        printf("rings %d\n", rings);
        if (a < 0) a = accept(l, (void *)&p, &n);
        close(a);
        waitpid(child, 0, 0);
    }
    struct timeval t = {5, 0};
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    struct itimerval i = {.it_value = {0, 200000}};
    setitimer(ITIMER_REAL, &i, 0);
    struct sockaddr_in p;
    socklen_t n = sizeof p;
    say("restarting, with a timeout", accept(l, (void *)&p, &n));
    close(l);
}

static int shared_listener;
static void *waiter(void *unused) {
    struct sockaddr_in p;
    socklen_t n = sizeof p;
    say("shut down", accept(shared_listener, (void *)&p, &n));
    return unused;
}

static void shut(void) {
    pthread_t t;
    shared_listener = listener();
    pthread_create(&t, 0, waiter, 0);
    usleep(300000);
    shutdown(shared_listener, SHUT_RD);
    pthread_join(t, 0);
    close(shared_listener);
}

/* A listener that was closed while nobody waits is free at once for another. */
static void again(void) {
    int l = listener(), ok = 1;
    for (int i = 0; i < 200; i++) {
        struct sockaddr_in p;
        socklen_t n = sizeof p;
        int c = dial(), a = accept(l, (void *)&p, &n), linger[2] = {1, 0};
        close(l);
        setsockopt(a, SOL_SOCKET, SO_LINGER, linger, sizeof linger);
        close(a), close(c);
        l = socket(AF_INET, SOCK_STREAM, 0);
        ok &= bind(l, (void *)&at, sizeof at) == 0 && listen(l, 5) == 0;
    }
    printf("bound again %d\n", ok);
    close(l);
}

static void local(void) {
    struct sockaddr_un u = {.sun_family = AF_UNIX}, p;
    socklen_t n = sizeof p;
    snprintf(u.sun_path + 1, 90, "accepting%d", getpid());
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(l, (void *)&u, sizeof u), listen(l, 5);
    if (!fork()) {
        usleep(200000);
        connect(c, (void *)&u, sizeof u);
        _exit(0);
    }
    int a = accept(l, (void *)&p, &n);
    printf("unix %d length %d\n", a >= 0, (int)n);
    wait(0);
    close(a), close(l), close(c);
}

int main(void) {
    lengths(), flags(), wrong(), pointers(), crowded(), signals(), shut(), again(), local();
    return 0;
}
