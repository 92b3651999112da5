/* The supervised programs of the benchmarks, and their clients.
 *
 * They are in C to keep their own cost out of the measurements. They report fixed-size records through a FIFO, which
 * takes each record atomically. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct record {
    int64_t pid;
    int64_t nanoseconds;
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void report_at(const char *fifo, int64_t nanoseconds) {
    struct record record = {getpid(), nanoseconds};
    int fd = open(fifo, O_WRONLY);
    if (fd < 0 || write(fd, &record, sizeof record) != sizeof record) die(fifo);
    close(fd);
}

static void rest(void) {
    for (;;) pause();
}

static void write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0) {
            if (errno == EINTR) continue;
            die("write");
        }
        bytes += written;
        length -= written;
    }
}

/* flood FIFO BYTES SIZE: writes BYTES bytes to stdout, SIZE at a time. */
static void flood(const char *fifo, long long bytes, size_t size) {
    char *line = malloc(size);
    memset(line, 'x', size);
    line[size - 1] = '\n';
    report_at(fifo, now());
    for (; bytes > 0; bytes -= size) write_all(1, line, size);
    report_at(fifo, now());
    rest();
}

/* ticker MICROSECONDS: writes the time as a line of text at this interval. */
static void ticker(long microseconds) {
    char line[32];
    for (;;) {
        int length = snprintf(line, sizeof line, "%lld\n", (long long)now());
        write_all(1, line, length);
        struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
}

/* display FIFO: reads the output of a ticker and reports the latency of each line. */
static void display(const char *fifo) {
    char text[1 << 16];
    size_t have = 0;
    int out = open(fifo, O_WRONLY);
    if (out < 0) die(fifo);
    for (;;) {
        ssize_t got = read(0, text + have, sizeof text - 1 - have);
        if (got <= 0) return;
        int64_t arrival = now();
        have += got;
        text[have] = 0;
        char *line = text, *end;
        while ((end = memchr(line, '\n', text + have - line))) {
            struct record record = {0, arrival - atoll(line)};
            if (write(out, &record, sizeof record) != sizeof record) die(fifo);
            line = end + 1;
        }
        have = text + have - line;
        memmove(text, line, have);
    }
}

/* speaker FIFO COUNT: writes COUNT communication events of a hundred bytes. */
static void speaker(const char *fifo, long count) {
    static const char event[] =
        "<!--XSUPERVISOR:BEGIN-->"
        "a hundred bytes of news, more or less, which is about what a program would tell: 0123456789 abcdef"
        "<!--XSUPERVISOR:END-->";
    report_at(fifo, now());
    while (count-- > 0) write_all(1, event, sizeof event - 1);
    rest();
}

/* listener FIFO COUNT: accepts events; reports the arrival of the first and the COUNTth communication event. */
static void listener(const char *fifo, long count) {
    static char text[1 << 20];
    size_t have = 0;
    long seen = 0;
    write_all(1, "READY\n", 6);
    for (;;) {
        ssize_t got = read(0, text + have, sizeof text - 1 - have);
        if (got <= 0) return;
        have += got;
        for (;;) {
            text[have] = 0;
            char *line = memchr(text, '\n', have);
            if (!line) break;
            char *length = strstr(text, "len:");
            if (!length || length > line) die("a header without a length");
            size_t whole = line + 1 - text + atol(length + 4);
            if (have < whole) break;
            char *kind = strstr(text, "eventname:PROCESS_COMMUNICATION");
            if (kind && kind < line) {
                seen++;
                if (seen == 1 || seen == count) report_at(fifo, now());
            }
            have -= whole;
            memmove(text, text + whole, have);
            write_all(1, "RESULT 2\nOKREADY\n", 17);
        }
    }
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die(path);
    return fd;
}

/* Reads one HTTP reply with a Content-Length; returns the length of head and body. */
static size_t read_reply(int fd, char *text, size_t room) {
    size_t have = 0;
    for (;;) {
        ssize_t got = read(fd, text + have, room - 1 - have);
        if (got <= 0) die("reply");
        have += got;
        text[have] = 0;
        char *end = strstr(text, "\r\n\r\n");
        if (!end) continue;
        char *length = strcasestr(text, "content-length:");
        if (!length || length > end) die("a reply without a length");
        size_t whole = end + 4 - text + atol(length + 15);
        while (have < whole) {
            got = read(fd, text + have, room - 1 - have);
            if (got <= 0) die("reply");
            have += got;
        }
        return whole;
    }
}

static int by_size(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Repeats a request over one connection for SECONDS seconds or COUNT times; prints the requests per second, and the median
 * and 99th percentile of their latency in nanoseconds. */
static void repeat(const char *path, const char *request, double seconds, long count) {
    enum { MOST = 4 << 20, ROOM = 16 << 20 };
    static int64_t took[MOST];
    char *reply = malloc(ROOM);
    int fd = connect_to(path);
    size_t whole = strlen(request);
    int64_t start = now(), end = start + (int64_t)(seconds * 1e9), at = start;
    long done = 0;
    while (at < end && done < count && done < MOST) {
        write_all(fd, request, whole);
        read_reply(fd, reply, ROOM);
        if (strstr(reply, "<fault>") || strncmp(reply, "HTTP/1.1 200", 12)) {
            fprintf(stderr, "%s\n", reply);
            exit(1);
        }
        int64_t next = now();
        took[done++] = next - at;
        at = next;
    }
    qsort(took, done, sizeof *took, by_size);
    printf("%f %lld %lld\n", done / ((at - start) / 1e9), (long long)took[done / 2], (long long)took[done * 99 / 100]);
}

/* ask SOCKET SECONDS COUNT METHOD [NAME]: repeats a call of XML-RPC. */
static void ask(const char *path, double seconds, long count, const char *method, const char *name) {
    char body[512], request[1024], parameters[256];
    const char *parameter = name ? "<param><value><string>%s</string></value></param>" : "";
    snprintf(parameters, sizeof parameters, parameter, name);
    int length = snprintf(body, sizeof body,
                          "<?xml version='1.0'?>\n<methodCall>\n<methodName>%s</methodName>\n"
                          "<params>\n%s</params>\n</methodCall>\n", method, parameters);
    snprintf(request, sizeof request,
             "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
             "Content-Length: %d\r\n\r\n%s", length, body);
    repeat(path, request, seconds, count);
}

/* get SOCKET SECONDS COUNT ADDRESS: repeats a GET. */
static void get(const char *path, double seconds, long count, const char *address) {
    char request[1024];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", address);
    repeat(path, request, seconds, count);
}

int main(int argc, char **argv) {
    int64_t start = now();
    const char *role = argc > 1 ? argv[1] : "";
    if (!strcmp(role, "stamp") && argc == 3) {
        report_at(argv[2], start);
        rest();
    } else if (!strcmp(role, "brief") && argc == 3) {
        report_at(argv[2], start);
        // A signal, not exit: the supervisor delays the restart of a program that exits at once.
        raise(SIGKILL);
    } else if (!strcmp(role, "flood") && argc == 5) {
        flood(argv[2], atoll(argv[3]), atol(argv[4]));
    } else if (!strcmp(role, "ticker") && argc == 3) {
        ticker(atol(argv[2]));
    } else if (!strcmp(role, "display") && argc == 3) {
        display(argv[2]);
    } else if (!strcmp(role, "speaker") && argc == 4) {
        speaker(argv[2], atol(argv[3]));
    } else if (!strcmp(role, "listener") && argc == 4) {
        listener(argv[2], atol(argv[3]));
    } else if (!strcmp(role, "ask") && argc >= 6) {
        ask(argv[2], atof(argv[3]), atol(argv[4]), argv[5], argv[6]);
    } else if (!strcmp(role, "get") && argc == 6) {
        get(argv[2], atof(argv[3]), atol(argv[4]), argv[5]);
    } else {
        fprintf(stderr, "probe: what?\n");
        return 2;
    }
    return 0;
}
