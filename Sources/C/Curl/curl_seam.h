// The part of libcurl that Swift cannot call itself: functions with variable arguments.
#pragma once

#include <curl/curl.h>

// Takes `size * count` bytes; returns how many it took, fewer to stop the transfer.
typedef size_t (*curl_seam_receiver)(char *bytes, size_t size, size_t count, void *context);

// Makes the library ready for use by several threads; call it once. Returns 0 on success.
static inline int curl_seam_start(void) { return (int) curl_global_init(CURL_GLOBAL_ALL); }

static inline CURLcode curl_seam_set_text(CURL *handle, CURLoption option, const char *value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode curl_seam_set_number(CURL *handle, CURLoption option, long value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode curl_seam_set_headers(CURL *handle, struct curl_slist *headers)
{
    return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

// Sends header lines and the body's bytes to the two receivers, with `context` for both.
static inline CURLcode curl_seam_set_receivers(
    CURL *handle, curl_seam_receiver header, curl_seam_receiver body, void *context)
{
    CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
    if (!code) code = curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
    if (!code) code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, body);
    if (!code) code = curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
    return code;
}

// Addresses of hosts, `HOST:PORT:ADDRESS[,ADDRESS]…`, which are connected to without asking a resolver.
static inline CURLcode curl_seam_set_resolved(CURL *handle, struct curl_slist *hosts)
{
    return curl_easy_setopt(handle, CURLOPT_RESOLVE, hosts);
}

// Is called during a transfer, at least once a second, with bytes to receive and received, to send and sent; returns
// anything but 0 to stop it.
typedef int (*curl_seam_watcher)(
    void *context, curl_off_t toReceive, curl_off_t received, curl_off_t toSend, curl_off_t sent);

static inline CURLcode curl_seam_set_watcher(CURL *handle, curl_seam_watcher watcher, void *context)
{
    CURLcode code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, watcher);
    if (!code) code = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
    return code;
}

// Where libcurl describes a failure: `CURL_ERROR_SIZE` bytes that outlive the transfer.
static inline CURLcode curl_seam_set_error_buffer(CURL *handle, char *buffer)
{
    return curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}

// Refuses everything but HTTP and HTTPS.
static inline CURLcode curl_seam_allow_http_only(CURL *handle)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}
