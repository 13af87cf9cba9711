/*
 * A peer on Linux' own SCTP; dialogue.h says how to talk to it. Its options are variables below
 * /proc/sys/net. It says `ready` first, and the command `exit` ends it and its association. An abort
 * has no reason, and ends the process too.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stack.h"

static int listening = -1, association = -1;
static struct addresses remotes;

static int current(void) {
    return association < 0 ? listening : association;
}

int set_socket_option(int name, const void *value, size_t length) {
    return setsockopt(current(), IPPROTO_SCTP, name, value, (socklen_t)length);
}

int get_socket_option(int name, void *value, size_t *length) {
    socklen_t narrow = (socklen_t)*length;
    int result = getsockopt(current(), IPPROTO_SCTP, name, value, &narrow);
    *length = narrow;
    return result;
}

int change_addresses(const struct addresses *addresses, bool add) {
    return set_socket_option(add ? SCTP_SOCKOPT_BINDX_ADD : SCTP_SOCKOPT_BINDX_REM,
                             addresses->bytes, addresses->length);
}

static struct cmsghdr *attach(struct msghdr *header, struct cmsghdr *at, int type, const void *info,
                              size_t length) {
    at->cmsg_level = IPPROTO_SCTP;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(at), info, length);
    header->msg_controllen += CMSG_SPACE(length);
    return (struct cmsghdr *)((uint8_t *)at + CMSG_SPACE(length));
}

int send_message(const void *message, size_t length, const struct sending *how) {
    union {
        struct cmsghdr first;
        uint8_t bytes[CMSG_SPACE(sizeof how->info) + CMSG_SPACE(sizeof how->reliability)];
    } control;
    struct iovec vector = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control};
    memset(&control, 0, sizeof control);
    struct cmsghdr *next =
        attach(&header, &control.first, SCTP_SNDINFO, &how->info, sizeof how->info);
    if (how->reliability.pr_policy != SCTP_PR_SCTP_NONE)
        attach(&header, next, SCTP_PRINFO, &how->reliability, sizeof how->reliability);
    return (int)sendmsg(association, &header, MSG_NOSIGNAL);
}

static ssize_t receive_part(int from, void *into, size_t room, struct sctp_rcvinfo *info,
                            int *flags) {
    char control[256];
    struct iovec vector = {.iov_base = into, .iov_len = room};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t got = recvmsg(from, &header, 0);
    struct cmsghdr *item = got < 0 ? NULL : CMSG_FIRSTHDR(&header);
    for (; item != NULL; item = CMSG_NXTHDR(&header, item))
        if (item->cmsg_level == IPPROTO_SCTP && item->cmsg_type == SCTP_RCVINFO)
            memcpy(info, CMSG_DATA(item), sizeof *info);
    *flags = header.msg_flags;
    return got;
}

static void receive_all(int from) {
    static _Alignas(8) uint8_t part[MAX_MESSAGE];
    for (;;) {
        struct sctp_rcvinfo info = {0};
        int flags = 0;
        wait_while_paused();
        ssize_t got = receive_part(from, part, sizeof part, &info, &flags);
        if (got <= 0)
            break;
        if (flags & MSG_NOTIFICATION)
            on_notification(part, (size_t)got);
        else
            on_part(part, (size_t)got, &info, (flags & MSG_EOR) != 0);
    }
    say("end");
}

static void *accept_and_receive(void *unused) {
    (void)unused;
    int accepted = accept(listening, NULL, NULL);
    if (accepted < 0) {
        say("failed accept: %s", strerror(errno));
        return NULL;
    }
    association = accepted;
    receive_all(accepted);
    return NULL;
}

static void *connect_and_receive(void *unused) {
    (void)unused;
    association = listening;
    if (set_socket_option(SCTP_SOCKOPT_CONNECTX, remotes.bytes, remotes.length) < 0)
        say("refused");
    else
        receive_all(association);
    return NULL;
}

static int set_up_socket(void) {
    const int on = 1;
    struct sctp_initmsg streams = {.sinit_num_ostreams = STREAMS, .sinit_max_instreams = STREAMS};
    for (size_t i = 0; i < event_type_count; i++) {
        struct sctp_event event = {
            .se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = event_types[i], .se_on = 1};
        if (set_socket_option(SCTP_EVENT, &event, sizeof event) < 0)
            return -1;
    }
    if (setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        set_socket_option(SCTP_RECVRCVINFO, &on, sizeof on) < 0)
        return -1;
    return set_socket_option(SCTP_INITMSG, &streams, sizeof streams);
}

static int bind_to(void) {
    struct addresses locals;
    if (read_addresses((uint16_t)number(), &locals) < 0)
        return -1;
    listening = socket(locals.family, SOCK_STREAM, IPPROTO_SCTP);
    if (listening < 0 || set_up_socket() < 0)
        return -1;
    return change_addresses(&locals, true);
}

static int encapsulate(uint16_t port, sa_family_t family) {
    struct sctp_udpencaps encapsulation = {.sue_assoc_id = SCTP_FUTURE_ASSOC};
    encapsulation.sue_address.ss_family = family;
    encapsulation.sue_port = htons(port);
    return set_socket_option(SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation, sizeof encapsulation);
}

static int connect_to(void) {
    uint16_t port = (uint16_t)number();
    if (read_addresses((uint16_t)number(), &remotes) < 0)
        return -1;
    if (encapsulate(port, (sa_family_t)remotes.family) < 0)
        return -1;
    return start_thread(connect_and_receive);
}

static int set_variable(const char *name, const char *value) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return -1;
    fputs(value, file);
    return fclose(file);
}

static int set_option(void) {
    const char *name = word();
    const char *value = word();
    errno = EINVAL;
    return name == NULL || value == NULL ? -1 : set_variable(name, value);
}

static int start(void) {
    const char *port = word();
    return set_variable("sctp/udp_port", port == NULL ? "0" : port);
}

static int listen_for_one(void) {
    return listen(listening, 1) < 0 ? -1 : start_thread(accept_and_receive);
}

static int shut_down(void) {
    return shutdown(association, SHUT_WR);
}

/* Sockets of the one-to-one style abort only when they are closed, which a thread that reads from
 * them holds up: the process has to end. */
static int abort_and_exit(void) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(association, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
        return -1;
    say("ok");
    _exit(0);
}

static int leave(void) {
    _exit(0);
}

static const struct command basics[] = {
    {"start", start},        {"option", set_option},      {"bind", bind_to},
    {"connect", connect_to}, {"listen", listen_for_one},  {"shutdown", shut_down},
    {"abort", abort_and_exit}, {"exit", leave},           {NULL, NULL},
};

int main(void) {
    static const struct command *const tables[] = {basics, pausing, features};
    say("ready");
    converse(tables, sizeof tables / sizeof tables[0]);
    return 0;
}
