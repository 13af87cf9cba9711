/*
 * Commands of extensions. Those that say "for what comes" have to be given before `listen` or
 * `connect`.
 *
 *   set NAME VALUE                     a socket option, see `settings`; for what comes
 *   auth-chunk TYPE                    this side wants such chunks authenticated; for what comes
 *   auth-hmac NUMBER...                the algorithms it takes, best first; for what comes
 *   key NUMBER SECRET                  adds or replaces a shared key
 *   use-key NUMBER                     authenticates with it
 *   retire-key NUMBER, delete-key NUMBER
 *   auth-chunks                        says `authenticates TYPE...`: what the peer wants authenticated
 *   add-address PORT ADDRESS..., remove-address PORT ADDRESS...
 *   ask-primary PORT ADDRESS           wants the peer to send to this local address
 *   primary PORT ADDRESS               sends to this address of the peer
 *   reset in|out|both STREAM...        begins streams anew; none means all
 *   reset-tsn                          begins all streams and TSNs anew
 *   add-streams OUTBOUND INBOUND
 *   status                             says `status STATE INBOUND OUTBOUND PRIMARY`, the state as the
 *                                      stack's number
 */
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PEER_USRSCTP
/* Missing in the header, not in the library. */
#ifndef SCTP_INTERLEAVING_SUPPORTED
#define SCTP_INTERLEAVING_SUPPORTED 0x00001206
#endif
#ifndef SCTP_CMT_ON_OFF
#define SCTP_CMT_ON_OFF 0x00001200
#endif
#else
#define SCTP_PLUGGABLE_SS SCTP_STREAM_SCHEDULER
#endif

static const struct setting {
    const char *name;
    int option;
    /* Whether the option is an int instead of a struct sctp_assoc_value. */
    bool is_int;
} settings[] = {
    {"no-delay", SCTP_NODELAY, true},
    {"fragment-interleave", SCTP_FRAGMENT_INTERLEAVE, true},
    {"interleaving", SCTP_INTERLEAVING_SUPPORTED, false},
    {"allow-resets", SCTP_ENABLE_STREAM_RESET, false},
    {"max-segment", SCTP_MAXSEG, false},
    {"scheduler", SCTP_PLUGGABLE_SS, false},
    {"auth", SCTP_AUTH_SUPPORTED, false},
    {"asconf", SCTP_ASCONF_SUPPORTED, false},
    {"ecn", SCTP_ECN_SUPPORTED, false},
    {"pr", SCTP_PR_SUPPORTED, false},
    {"reconfig", SCTP_RECONFIG_SUPPORTED, false},
#ifdef PEER_USRSCTP
    {"nr-sack", SCTP_NRSACK_SUPPORTED, false},
    {"cmt", SCTP_CMT_ON_OFF, false},
#endif
};

static int apply_setting(void) {
    const char *name = word();
    int value = (int)number();
    struct sctp_assoc_value tagged = {.assoc_id = SCTP_FUTURE_ASSOC,
                                      .assoc_value = (uint32_t)value};
    for (size_t i = 0; name != NULL && i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(setting->name, name) != 0)
            continue;
        if (setting->is_int)
            return set_socket_option(setting->option, &value, sizeof value);
        return set_socket_option(setting->option, &tagged, sizeof tagged);
    }
    errno = ENOENT;
    return -1;
}

static int authenticate_chunk(void) {
    struct sctp_authchunk chunk = {.sauth_chunk = (uint8_t)number()};
    return set_socket_option(SCTP_AUTH_CHUNK, &chunk, sizeof chunk);
}

static int choose_hmacs(void) {
    union {
        struct sctp_hmacalgo header;
        uint8_t room[sizeof(struct sctp_hmacalgo) + 8 * sizeof(uint16_t)];
    } list = {.room = {0}};
    uint32_t count = 0;
    long identifier;
    while (count < 8 && (identifier = number()) != 0) {
        uint16_t narrow = (uint16_t)identifier;
        memcpy(list.room + sizeof list.header + count++ * sizeof narrow, &narrow, sizeof narrow);
    }
    list.header.shmac_number_of_idents = count;
    return set_socket_option(SCTP_HMAC_IDENT, &list, sizeof list.header + count * sizeof(uint16_t));
}

static int set_key(void) {
    uint16_t identifier = (uint16_t)number();
    const char *secret = word();
    size_t length = secret == NULL ? 0 : strlen(secret);
    union {
        struct sctp_authkey header;
        uint8_t room[sizeof(struct sctp_authkey) + 256];
    } key = {.header = {.sca_keynumber = identifier, .sca_keylength = (uint16_t)length}};
    if (length > 256) {
        errno = EINVAL;
        return -1;
    }
    if (length > 0)
        memcpy(key.room + offsetof(struct sctp_authkey, sca_key), secret, length);
    return set_socket_option(SCTP_AUTH_KEY, &key, sizeof key.header + length);
}

static int key_command(int option) {
    struct sctp_authkeyid key = {.scact_keynumber = (uint16_t)number()};
    return set_socket_option(option, &key, sizeof key);
}

static int use_key(void) {
    return key_command(SCTP_AUTH_ACTIVE_KEY);
}

static int retire_key(void) {
    return key_command(SCTP_AUTH_DEACTIVATE_KEY);
}

static int delete_key(void) {
    return key_command(SCTP_AUTH_DELETE_KEY);
}

static int list_authenticated(void) {
    struct sctp_authchunks *list = calloc(1, sizeof *list + 256);
    size_t length = sizeof *list + 256;
    char text[1024] = "";
    if (list == NULL || get_socket_option(SCTP_PEER_AUTH_CHUNKS, list, &length) < 0) {
        free(list);
        return -1;
    }
    for (size_t i = 0; offsetof(struct sctp_authchunks, gauth_chunks) + i < length; i++) {
        char number[8];
#ifndef PEER_USRSCTP
        if (i >= list->gauth_number_of_chunks)
            break;
#endif
        snprintf(number, sizeof number, " %u", list->gauth_chunks[i]);
        strncat(text, number, sizeof text - strlen(text) - 1);
    }
    say("authenticates%s", text);
    free(list);
    return 0;
}

static int bind_more(bool add) {
    struct addresses addresses;
    return read_addresses((uint16_t)number(), &addresses) < 0
               ? -1
               : change_addresses(&addresses, add);
}

static int add_addresses(void) {
    return bind_more(true);
}

static int remove_addresses(void) {
    return bind_more(false);
}

static int ask_primary(void) {
    struct sctp_setpeerprim request = {.sspp_assoc_id = SCTP_FUTURE_ASSOC};
    struct addresses addresses;
    if (read_addresses((uint16_t)number(), &addresses) < 0)
        return -1;
    memcpy(&request.sspp_addr, addresses.bytes, addresses.length);
    return set_socket_option(SCTP_SET_PEER_PRIMARY_ADDR, &request, sizeof request);
}

static int choose_primary(void) {
    struct sctp_setprim request = {.ssp_assoc_id = SCTP_FUTURE_ASSOC};
    struct addresses addresses;
    if (read_addresses((uint16_t)number(), &addresses) < 0)
        return -1;
    memcpy(&request.ssp_addr, addresses.bytes, addresses.length);
    return set_socket_option(SCTP_PRIMARY_ADDR, &request, sizeof request);
}

static int reset_streams(void) {
    const char *which = word();
    union {
        struct sctp_reset_streams header;
        uint8_t room[sizeof(struct sctp_reset_streams) + STREAMS * sizeof(uint16_t)];
    } request = {.room = {0}};
    uint16_t count = 0;
    const char *text;
    if (which == NULL)
        which = "";
    if (strcmp(which, "out") != 0)
        request.header.srs_flags |= SCTP_STREAM_RESET_INCOMING;
    if (strcmp(which, "in") != 0)
        request.header.srs_flags |= SCTP_STREAM_RESET_OUTGOING;
    while (count < STREAMS && (text = word()) != NULL) {
        uint16_t stream = (uint16_t)atol(text);
        size_t at = offsetof(struct sctp_reset_streams, srs_stream_list) + count++ * sizeof stream;
        memcpy(request.room + at, &stream, sizeof stream);
    }
    request.header.srs_number_streams = count;
    return set_socket_option(SCTP_RESET_STREAMS, &request,
                             sizeof request.header + count * sizeof(uint16_t));
}

static int reset_association(void) {
    sctp_assoc_t id = SCTP_FUTURE_ASSOC;
    return set_socket_option(SCTP_RESET_ASSOC, &id, sizeof id);
}

static int add_streams(void) {
    struct sctp_add_streams request = {.sas_assoc_id = SCTP_FUTURE_ASSOC};
    request.sas_outstrms = (uint16_t)number();
    request.sas_instrms = (uint16_t)number();
    return set_socket_option(SCTP_ADD_STREAMS, &request, sizeof request);
}

static int tell_status(void) {
    struct sctp_status status = {.sstat_assoc_id = SCTP_FUTURE_ASSOC};
    size_t length = sizeof status;
    if (get_socket_option(SCTP_STATUS, &status, &length) < 0)
        return -1;
    say("status %d %u %u %s", status.sstat_state, status.sstat_instrms, status.sstat_outstrms,
        address_of(&status.sstat_primary.spinfo_address));
    return 0;
}

static uint16_t reliability_named(const char *name) {
    static const struct {
        const char *name;
        uint16_t policy;
    } policies[] = {
        {"ttl", SCTP_PR_SCTP_TTL},
        {"rtx", SCTP_PR_SCTP_RTX},
#ifdef PEER_USRSCTP
        {"prio", SCTP_PR_SCTP_BUF},
#else
        {"prio", SCTP_PR_SCTP_PRIO},
#endif
    };
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (strcmp(policies[i].name, name) == 0)
            return policies[i].policy;
    return SCTP_PR_SCTP_NONE;
}

static int send_messages(void) {
    static uint8_t message[MAX_MESSAGE];
    struct sending how = {.info = {.snd_sid = (uint16_t)number()}};
    const char *order = word();
    size_t length = (size_t)number();
    long count = number();
    uint64_t seed = (uint64_t)number();
    how.info.snd_ppid = htonl((uint32_t)number());
    const char *reliability = word();
    if (reliability != NULL)
        how.reliability.pr_policy = reliability_named(reliability);
    how.reliability.pr_value = (uint32_t)number();
    if (order != NULL && *order == 'u')
        how.info.snd_flags = SCTP_UNORDERED;
    for (long i = 0; i < count; i++) {
        fill(message, length, seed + (uint64_t)i);
        if (send_message(message, length, &how) < 0)
            return -1;
    }
    return 0;
}

const struct command features[] = {
    {"send", send_messages},
    {"set", apply_setting},
    {"auth-chunk", authenticate_chunk},
    {"auth-hmac", choose_hmacs},
    {"key", set_key},
    {"use-key", use_key},
    {"retire-key", retire_key},
    {"delete-key", delete_key},
    {"auth-chunks", list_authenticated},
    {"add-address", add_addresses},
    {"remove-address", remove_addresses},
    {"ask-primary", ask_primary},
    {"primary", choose_primary},
    {"reset", reset_streams},
    {"reset-tsn", reset_association},
    {"add-streams", add_streams},
    {"status", tell_status},
    {NULL, NULL},
};
