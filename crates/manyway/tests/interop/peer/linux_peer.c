/*
 * A peer on Linux' own SCTP; dialogue.h says how to talk to it. Its options are variables below
 * /proc/sys/net. It says `ready` first, and the command `exit` ends it and its association. An abort
 * has no reason, and ends the process too.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/sctp.h>

#include "dialogue.h"

static int listening, association;
static struct sockaddr_in remotes[MAX_ADDRESSES];
static int remote_count;

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
    const char *name = strtok(NULL, " ");
    const char *value = strtok(NULL, " ");
    errno = EINVAL;
    return name == NULL || value == NULL ? -1 : set_variable(name, value);
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

/* Long messages come in parts; the last one is marked. */
static void receive_all(int from) {
    static uint8_t message[MAX_MESSAGE];
    size_t length = 0;
    for (;;) {
        struct sctp_rcvinfo info = {0};
        int flags = 0;
        wait_while_paused();
        ssize_t got =
            receive_part(from, message + length, sizeof message - length, &info, &flags);
        if (got <= 0)
            break;
        if (flags & MSG_NOTIFICATION) {
            union sctp_notification notification;
            size_t fits = (size_t)got < sizeof notification ? (size_t)got : sizeof notification;
            memcpy(&notification, message + length, fits);
            on_notification(&notification);
            continue;
        }
        length += (size_t)got;
        if (flags & MSG_EOR) {
            on_message(message, length, &info);
            length = 0;
        }
    }
    say("end");
}

static void *accept_and_receive(void *unused) {
    (void)unused;
    association = accept(listening, NULL, NULL);
    if (association < 0)
        say("failed accept: %s", strerror(errno));
    else
        receive_all(association);
    return NULL;
}

static void *connect_and_receive(void *unused) {
    (void)unused;
    association = listening;
    if (setsockopt(association, IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX, remotes,
                   (socklen_t)(remote_count * sizeof remotes[0])) < 0)
        say("refused");
    else
        receive_all(association);
    return NULL;
}

static int set_up_socket(void) {
    static const uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_PEER_ADDR_CHANGE, SCTP_SHUTDOWN_EVENT,
                                      SCTP_REMOTE_ERROR};
    const int on = 1;
    struct sctp_initmsg streams = {.sinit_num_ostreams = STREAMS, .sinit_max_instreams = STREAMS};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct sctp_event event = {
            .se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = events[i], .se_on = 1};
        if (setsockopt(listening, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event) < 0)
            return -1;
    }
    if (setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(listening, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) < 0)
        return -1;
    return setsockopt(listening, IPPROTO_SCTP, SCTP_INITMSG, &streams, sizeof streams);
}

static int bind_to(void) {
    struct sockaddr_in locals[MAX_ADDRESSES];
    int count = read_addresses((uint16_t)number(), locals);
    listening = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    if (listening < 0 || set_up_socket() < 0)
        return -1;
    return setsockopt(listening, IPPROTO_SCTP, SCTP_SOCKOPT_BINDX_ADD, locals,
                      (socklen_t)(count * sizeof locals[0]));
}

static int connect_to(void) {
    struct sctp_udpencaps encapsulation = {.sue_assoc_id = SCTP_FUTURE_ASSOC};
    encapsulation.sue_address.ss_family = AF_INET;
    encapsulation.sue_port = htons((uint16_t)number());
    if (setsockopt(listening, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation,
                   sizeof encapsulation) < 0)
        return -1;
    remote_count = read_addresses((uint16_t)number(), remotes);
    return start_thread(connect_and_receive);
}

static int send_with(const void *message, size_t length, uint16_t stream, uint16_t flags) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
    } control = {.header = {.cmsg_level = IPPROTO_SCTP,
                            .cmsg_type = SCTP_SNDINFO,
                            .cmsg_len = CMSG_LEN(sizeof(struct sctp_sndinfo))}};
    struct sctp_sndinfo info = {.snd_sid = stream, .snd_flags = flags};
    struct iovec vector = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &info, sizeof info);
    return (int)sendmsg(association, &header, MSG_NOSIGNAL);
}

static int send_messages(void) {
    static uint8_t message[MAX_MESSAGE];
    uint16_t stream = (uint16_t)number();
    const char *order = strtok(NULL, " ");
    size_t length = (size_t)number();
    long count = number();
    uint64_t seed = (uint64_t)number();
    uint16_t flags = order != NULL && *order == 'u' ? SCTP_UNORDERED : 0;
    for (long i = 0; i < count; i++) {
        fill(message, length, seed + (uint64_t)i);
        if (send_with(message, length, stream, flags) < 0)
            return -1;
    }
    return 0;
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

static int obey(const char *command) {
    if (strcmp(command, "start") == 0)
        return set_variable("sctp/udp_port", strtok(NULL, " "));
    if (strcmp(command, "option") == 0)
        return set_option();
    if (strcmp(command, "bind") == 0)
        return bind_to();
    if (strcmp(command, "listen") == 0)
        return listen(listening, 1) < 0 ? -1 : start_thread(accept_and_receive);
    if (strcmp(command, "connect") == 0)
        return connect_to();
    if (strcmp(command, "send") == 0)
        return send_messages();
    if (strcmp(command, "pause") == 0)
        return set_paused(true);
    if (strcmp(command, "resume") == 0)
        return set_paused(false);
    if (strcmp(command, "shutdown") == 0)
        return shutdown(association, SHUT_WR);
    if (strcmp(command, "abort") == 0)
        return abort_and_exit();
    if (strcmp(command, "exit") == 0)
        _exit(0);
    errno = EINVAL;
    return -1;
}

int main(void) {
    say("ready");
    converse(obey);
    return 0;
}
