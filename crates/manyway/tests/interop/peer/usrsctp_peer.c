/*
 * A peer on usrsctp; dialogue.h says how to talk to it. Its options are sysctl variables of usrsctp,
 * see `options`. One association per process: usrsctp's state is global. It also knows
 *
 *   paths                              says `path ADDRESS STATE` for each address of the peer
 */
#include <stddef.h>
#include <sys/types.h>
#include <usrsctp.h>

#include "dialogue.h"

static struct socket *listening, *association;
static struct sockaddr_in remotes[MAX_ADDRESSES];
static int remote_count;
static const struct {
    const char *name;
    int (*set)(uint32_t);
} options[] = {
    {"cmt", usrsctp_sysctl_set_sctp_cmt_on_off},
    {"dac", usrsctp_sysctl_set_sctp_cmt_use_dac},
    {"nr-sack", usrsctp_sysctl_set_sctp_nrsack_enable},
    {"asconf", usrsctp_sysctl_set_sctp_asconf_enable},
    {"auth", usrsctp_sysctl_set_sctp_auth_enable},
    {"blackhole", usrsctp_sysctl_set_sctp_blackhole},
    {"heartbeat-ms", usrsctp_sysctl_set_sctp_heartbeat_interval_default},
    {"rto-initial-ms", usrsctp_sysctl_set_sctp_rto_initial_default},
    {"rto-min-ms", usrsctp_sysctl_set_sctp_rto_min_default},
    {"rto-max-ms", usrsctp_sysctl_set_sctp_rto_max_default},
    {"init-rto-max-ms", usrsctp_sysctl_set_sctp_init_rto_max_default},
    {"path-retransmits", usrsctp_sysctl_set_sctp_path_rtx_max_default},
    {"send-buffer", usrsctp_sysctl_set_sctp_sendspace},
    {"receive-buffer", usrsctp_sysctl_set_sctp_recvspace},
};

/* Long messages come in parts; the last one is marked. */
static void receive_all(struct socket *from) {
    static uint8_t message[MAX_MESSAGE];
    size_t length = 0;
    for (;;) {
        struct sctp_rcvinfo info;
        socklen_t from_length = 0, info_length = sizeof info;
        unsigned int info_type = 0;
        int flags = 0;
        wait_while_paused();
        ssize_t got = usrsctp_recvv(from, message + length, sizeof message - length, NULL,
                                    &from_length, &info, &info_length, &info_type, &flags);
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
    struct socket *accepted = usrsctp_accept(listening, NULL, NULL);
    if (accepted == NULL) {
        say("failed accept: %s", strerror(errno));
        return NULL;
    }
    association = accepted;
    receive_all(accepted);
    return NULL;
}

static void *connect_and_receive(void *unused) {
    (void)unused;
    sctp_assoc_t id;
    association = listening;
    if (usrsctp_connectx(association, (struct sockaddr *)remotes, remote_count, &id) < 0) {
        say("refused");
        return NULL;
    }
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
        if (usrsctp_setsockopt(listening, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event) < 0)
            return -1;
    }
    if (usrsctp_setsockopt(listening, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) < 0)
        return -1;
    return usrsctp_setsockopt(listening, IPPROTO_SCTP, SCTP_INITMSG, &streams, sizeof streams);
}

static int bind_to(void) {
    struct sockaddr_in locals[MAX_ADDRESSES];
    int count = read_addresses((uint16_t)number(), locals);
    listening = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (listening == NULL || set_up_socket() < 0)
        return -1;
    return usrsctp_bindx(listening, (struct sockaddr *)locals, count, SCTP_BINDX_ADD_ADDR);
}

static int connect_to(void) {
    struct sctp_udpencaps encapsulation;
    memset(&encapsulation, 0, sizeof encapsulation);
    encapsulation.sue_address.ss_family = AF_INET;
    encapsulation.sue_port = htons((uint16_t)number());
    if (usrsctp_setsockopt(listening, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation,
                           sizeof encapsulation) < 0)
        return -1;
    remote_count = read_addresses((uint16_t)number(), remotes);
    return start_thread(connect_and_receive);
}

static int send_with(const void *message, size_t length, uint16_t stream, uint16_t flags) {
    struct sctp_sndinfo info = {.snd_sid = stream, .snd_flags = flags};
    return (int)usrsctp_sendv(association, message, length, NULL, 0, &info, sizeof info,
                              SCTP_SENDV_SNDINFO, 0);
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

static int list_paths(void) {
    struct sockaddr *addresses;
    int count = usrsctp_getpaddrs(association, 0, &addresses);
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)addresses + i;
        struct sctp_paddrinfo info;
        socklen_t length = sizeof info;
        memset(&info, 0, sizeof info);
        memcpy(&info.spinfo_address, address, sizeof *address);
        if (usrsctp_getsockopt(association, IPPROTO_SCTP, SCTP_GET_PEER_ADDR_INFO, &info,
                               &length) < 0)
            break;
        say("path %s 0x%x", address_of(address), info.spinfo_state);
    }
    if (count > 0)
        usrsctp_freepaddrs(addresses);
    return 0;
}

static int set_option(void) {
    const char *name = strtok(NULL, " ");
    uint32_t value = (uint32_t)number();
    for (size_t i = 0; name != NULL && i < sizeof options / sizeof options[0]; i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].set(value);
    errno = ENOENT;
    return -1;
}

static int obey(const char *command) {
    if (strcmp(command, "start") == 0) {
        usrsctp_init((uint16_t)number(), NULL, NULL);
        return usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    }
    if (strcmp(command, "option") == 0)
        return set_option();
    if (strcmp(command, "bind") == 0)
        return bind_to();
    if (strcmp(command, "listen") == 0)
        return usrsctp_listen(listening, 1) < 0 ? -1 : start_thread(accept_and_receive);
    if (strcmp(command, "connect") == 0)
        return connect_to();
    if (strcmp(command, "send") == 0)
        return send_messages();
    if (strcmp(command, "pause") == 0)
        return set_paused(true);
    if (strcmp(command, "resume") == 0)
        return set_paused(false);
    if (strcmp(command, "shutdown") == 0)
        return usrsctp_shutdown(association, SHUT_WR);
    if (strcmp(command, "paths") == 0)
        return list_paths();
    if (strcmp(command, "abort") == 0) {
        const char *reason = strtok(NULL, "\n");
        return send_with(reason, reason == NULL ? 0 : strlen(reason), 0, SCTP_ABORT);
    }
    errno = EINVAL;
    return -1;
}

int main(void) {
    converse(obey);
    /* The library's threads would make an orderly end wait. */
    _exit(0);
}
