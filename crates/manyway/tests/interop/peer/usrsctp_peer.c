/*
 * A peer on usrsctp; dialogue.h says how to talk to it. Its options are sysctl variables of usrsctp,
 * see `options`. One association per process: usrsctp's state is global. It also knows
 *
 *   paths                              says `path ADDRESS STATE` for each address of the peer
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "stack.h"

static struct socket *listening, *association;
static struct addresses remotes;
static const struct {
    const char *name;
    int (*set)(uint32_t);
} options[] = {
    {"cmt", usrsctp_sysctl_set_sctp_cmt_on_off},
    {"dac", usrsctp_sysctl_set_sctp_cmt_use_dac},
    {"buffer-splitting", usrsctp_sysctl_set_sctp_buffer_splitting},
    {"nr-sack", usrsctp_sysctl_set_sctp_nrsack_enable},
    {"asconf", usrsctp_sysctl_set_sctp_asconf_enable},
    {"auth", usrsctp_sysctl_set_sctp_auth_enable},
    {"ecn", usrsctp_sysctl_set_sctp_ecn_enable},
    {"pr", usrsctp_sysctl_set_sctp_pr_enable},
    {"reconfig", usrsctp_sysctl_set_sctp_reconfig_enable},
    {"packet-drop-reports", usrsctp_sysctl_set_sctp_pktdrop_enable},
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

static struct socket *current(void) {
    return association == NULL ? listening : association;
}

int set_socket_option(int name, const void *value, size_t length) {
    return usrsctp_setsockopt(current(), IPPROTO_SCTP, name, value, (socklen_t)length);
}

int get_socket_option(int name, void *value, size_t *length) {
    socklen_t narrow = (socklen_t)*length;
    int result = usrsctp_getsockopt(current(), IPPROTO_SCTP, name, value, &narrow);
    *length = narrow;
    return result;
}

int change_addresses(const struct addresses *addresses, bool add) {
    struct sockaddr *first = (struct sockaddr *)(uintptr_t)addresses->bytes;
    return usrsctp_bindx(current(), first, addresses->count,
                         add ? SCTP_BINDX_ADD_ADDR : SCTP_BINDX_REM_ADDR);
}

int send_message(const void *message, size_t length, const struct sending *how) {
    struct sctp_sendv_spa all = {.sendv_flags = SCTP_SEND_SNDINFO_VALID,
                                 .sendv_sndinfo = how->info,
                                 .sendv_prinfo = how->reliability};
    if (how->reliability.pr_policy != SCTP_PR_SCTP_NONE)
        all.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    return (int)usrsctp_sendv(association, message, length, NULL, 0, &all, sizeof all,
                              SCTP_SENDV_SPA, 0);
}

static void receive_all(struct socket *from) {
    static _Alignas(8) uint8_t part[MAX_MESSAGE];
    for (;;) {
        struct sctp_rcvinfo info = {0};
        socklen_t from_length = 0, info_length = sizeof info;
        unsigned int info_type = 0;
        int flags = 0;
        wait_while_paused();
        ssize_t got = usrsctp_recvv(from, part, sizeof part, NULL, &from_length, &info,
                                    &info_length, &info_type, &flags);
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
    if (usrsctp_connectx(association, (struct sockaddr *)remotes.bytes, remotes.count, &id) < 0) {
        say("refused");
        return NULL;
    }
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
    if (set_socket_option(SCTP_RECVRCVINFO, &on, sizeof on) < 0)
        return -1;
    return set_socket_option(SCTP_INITMSG, &streams, sizeof streams);
}

static int bind_to(void) {
    struct addresses locals;
    if (read_addresses((uint16_t)number(), &locals) < 0)
        return -1;
    listening = usrsctp_socket(locals.family, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (listening == NULL || set_up_socket() < 0)
        return -1;
    return change_addresses(&locals, true);
}

static int encapsulate(uint16_t port, sa_family_t family) {
    struct sctp_udpencaps encapsulation;
    memset(&encapsulation, 0, sizeof encapsulation);
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

static int list_paths(void) {
    struct sockaddr *addresses;
    int count = usrsctp_getpaddrs(association, 0, &addresses);
    const uint8_t *at = (const uint8_t *)addresses;
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++, at += size_of_address(at)) {
        struct sctp_paddrinfo info;
        size_t length = sizeof info;
        memset(&info, 0, sizeof info);
        memcpy(&info.spinfo_address, at, size_of_address(at));
        if (get_socket_option(SCTP_GET_PEER_ADDR_INFO, &info, &length) < 0)
            break;
        say("path %s 0x%x", address_of(at), info.spinfo_state);
    }
    if (count > 0)
        usrsctp_freepaddrs(addresses);
    return 0;
}

static int set_option(void) {
    const char *name = word();
    uint32_t value = (uint32_t)number();
    for (size_t i = 0; name != NULL && i < sizeof options / sizeof options[0]; i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].set(value);
    errno = ENOENT;
    return -1;
}

static int start(void) {
    usrsctp_init((uint16_t)number(), NULL, NULL);
    return usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
}

static int listen_for_one(void) {
    return usrsctp_listen(listening, 1) < 0 ? -1 : start_thread(accept_and_receive);
}

static int shut_down(void) {
    return usrsctp_shutdown(association, SHUT_WR);
}

static int abort_now(void) {
    const char *reason = rest_of_line();
    struct sctp_sndinfo info = {.snd_flags = SCTP_ABORT};
    return (int)usrsctp_sendv(association, reason, reason == NULL ? 0 : strlen(reason), NULL, 0,
                              &info, sizeof info, SCTP_SENDV_SNDINFO, 0);
}

static const struct command basics[] = {
    {"start", start},       {"option", set_option},  {"bind", bind_to},
    {"connect", connect_to}, {"listen", listen_for_one}, {"shutdown", shut_down},
    {"abort", abort_now},   {"paths", list_paths},   {NULL, NULL},
};

int main(void) {
    static const struct command *const tables[] = {basics, pausing, features};
    converse(tables, sizeof tables / sizeof tables[0]);
    /* The library's threads would make an orderly end wait. */
    _exit(0);
}
