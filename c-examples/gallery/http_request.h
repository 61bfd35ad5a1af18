/*
 * For http.c: reading the head of an HTTP/1.1 request (RFC 9112), strictly.
 *
 * Why not a library: of the parsers in C that Debian packages, http-parser is no longer developed,
 * and its successor is not packaged for C. What is needed here is small, because it accepts so
 * little: each line ends with CR LF, no header continues on a second line, no name is followed by a
 * space, and a body has one length. Servers that are generous in these points, behind others that
 * are not, can be made to see two requests where the other one saw a single one.
 */
#ifndef GALLERY_HTTP_REQUEST_H
#define GALLERY_HTTP_REQUEST_H

#include <string.h>
#include <strings.h>

#define HTTP_MAX_BODY 8192u

struct http_request {
    char method[16], target[256];
    int is_1_0;                     /* a client who knows no chunks */
    int is_kept;                    /* the connection, for another request */
    int is_chunked;                 /* the body comes in pieces, each with its length */
    int expects_continue;           /* the client waits for a word before it sends the body */
    int hosts, lengths;             /* how many of these headers there were */
    size_t length;                  /* of the body */
};

/* A character of a method or of a header's name. */
static inline int http_is_token(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* A character of a header's value. Bytes from 0x80 are allowed, and not understood. */
static inline int http_is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 127);
}

/* Find the end of a line within `size` bytes. Return its length without CR LF; -1: there is none
 * yet; -2: it contains what no line may contain. */
static inline int http_line(const char *at, size_t size)
{
    for (size_t length = 0; length < size; length++) {
        if (at[length] == '\r')
            return length + 1 == size ? -1 : at[length + 1] == '\n' ? (int)length : -2;
        if (!http_is_text(at[length]))
            return -2;
    }
    return -1;
}

/* Return the length of the head with its empty line; 0: it is not complete; -1: malformed. */
static inline int http_head(const char *bytes, size_t size)
{
    size_t at = 0;

    for (;;) {
        int length = http_line(bytes + at, size - at);

        if (length < 0)
            return length == -1 ? 0 : -1;
        at += (size_t)length + 2;
        if (length == 0)
            return (int)at;
    }
}

static inline int http_is(const char *value, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(value, word, size) == 0;
}

/* Copy a word of at least one character. Return its length, or 0 if it has no room. */
static inline size_t http_word(char *to, size_t room, const char *from, size_t size)
{
    if (size == 0 || size >= room)
        return 0;
    memcpy(to, from, size);
    to[size] = '\0';
    return size;
}

/* METHOD SP TARGET SP HTTP/1.x. Return 0, or the status of the refusal. */
static inline int http_request_line(struct http_request *request, const char *line, size_t size)
{
    const char *target = memchr(line, ' ', size), *version;
    size_t rest;

    if (target == NULL)
        return 400;
    for (const char *at = line; at < target; at++)
        if (!http_is_token(*at))
            return 400;
    if (http_word(request->method, sizeof request->method, line, (size_t)(target - line)) == 0)
        return target == line ? 400 : 501;
    target++;
    rest = size - (size_t)(target - line);
    version = memchr(target, ' ', rest);
    if (version == NULL || *target != '/' || memchr(target, '\t', rest) != NULL)
        return 400;
    if (http_word(request->target, sizeof request->target, target, (size_t)(version - target)) == 0)
        return 414;
    rest -= (size_t)(++version - target);
    if (rest != 8 || memcmp(version, "HTTP/", 5) != 0)
        return 400;
    if (memcmp(version, "HTTP/1.1", 8) != 0 && memcmp(version, "HTTP/1.0", 8) != 0)
        return 505;
    request->is_1_0 = version[7] == '0';
    request->is_kept = !request->is_1_0;
    return 0;
}

static inline int http_length(struct http_request *request, const char *value, size_t size)
{
    if (size == 0 || size > 9)
        return size == 0 ? 400 : 413;
    for (size_t at = 0; at < size; at++) {
        if (value[at] < '0' || value[at] > '9')
            return 400;
        request->length = request->length * 10 + (size_t)(value[at] - '0');
    }
    request->lengths++;
    return request->lengths > 1 ? 400 : request->length > HTTP_MAX_BODY ? 413 : 0;
}

/* NAME: VALUE. Return 0, or the status of the refusal. */
static inline int http_header(struct http_request *request, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size), *value;
    size_t name_size = colon == NULL ? 0 : (size_t)(colon - line);

    if (name_size == 0)
        return 400;
    for (size_t at = 0; at < name_size; at++)
        if (!http_is_token(line[at]))               /* a space: also one that continues a line */
            return 400;
    value = colon + 1;
    size -= name_size + 1;
    for (; size > 0 && (*value == ' ' || *value == '\t'); value++)
        size--;
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    if (http_is(line, name_size, "Host"))
        return ++request->hosts > 1 ? 400 : 0;
    if (http_is(line, name_size, "Content-Length"))
        return http_length(request, value, size);
    if (http_is(line, name_size, "Transfer-Encoding")) {
        if (request->is_chunked)
            return 400;
        request->is_chunked = http_is(value, size, "chunked");
        return request->is_chunked ? 0 : 501;
    }
    if (http_is(line, name_size, "Connection") && http_is(value, size, "close"))
        request->is_kept = 0;
    if (http_is(line, name_size, "Expect"))
        request->expects_continue = http_is(value, size, "100-continue");
    return 0;
}

/* Read a head that http_head has found complete. Return 0, or the status of the refusal. */
static inline int http_parse(struct http_request *request, const char *head, size_t size)
{
    int length = http_line(head, size), status;

    memset(request, 0, sizeof *request);
    status = http_request_line(request, head, (size_t)length);
    while (status == 0) {
        head += length + 2;
        size -= (size_t)length + 2;
        length = http_line(head, size);
        if (length == 0)
            break;
        status = http_header(request, head, (size_t)length);
    }
    if (status == 0 && !request->is_1_0 && request->hosts == 0)
        status = 400;
    if (status == 0 && request->is_chunked && (request->lengths > 0 || request->is_1_0))
        status = 400;                               /* two lengths: which one is meant? */
    return status;
}

#endif
