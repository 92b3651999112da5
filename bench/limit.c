/* The lower bound of the measurements: bare loops that do only the system calls of a supervisor.
 *
 * They have no configuration, no state, no activity log and almost no error handling. What remains is the cost of the
 * operating system. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[128 << 10];

static void die(const char *what) {
    perror(what);
    exit(1);
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

static void raise_limit(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* A child with our ends of its pipes: the write end of stdin, the read ends of stdout and stderr. */
struct child {
    pid_t pid;
    int in, out[2];
    int log[2];
};

static pid_t start(char **command, struct child *child, int channels) {
    int in[2], out[2], err[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || (channels == 2 && pipe2(err, O_CLOEXEC))) die("pipe");
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(channels == 2 ? err[1] : out[1], 2);
        execv(command[0], command);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    if (channels == 2) {
        close(err[1]);
        fcntl(err[0], F_SETFL, O_NONBLOCK);
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    child->pid = pid;
    child->in = in[1];
    child->out[0] = out[0];
    child->out[1] = err[0];
    return pid;
}

static void watch(int poll, int fd, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

/* Moves available bytes from a pipe to a log, at most one buffer. */
static ssize_t move(int from, int to, int copy) {
    ssize_t got = read(from, buffer, sizeof buffer);
    if (got > 0) write_all(to, buffer, got);
    if (got > 0 && copy) write_all(1, buffer, got);
    return got;
}

/* supervise COUNT DIRECTORY eager|lazy|copy|merged COMMAND...: keeps COUNT children running and writes their logs
 * until SIGTERM. "lazy" lets a few milliseconds of output accumulate; "copy" also writes the output to stdout;
 * "merged" writes both outputs of a child to one log. */
static void supervise(int count, const char *directory, const char *how, char **command) {
    int lazy = !strcmp(how, "lazy"), copy = !strcmp(how, "copy"), stopping = 0, living = 0;
    int channels = !strcmp(how, "merged") ? 1 : 2;
    struct child *children = calloc(count, sizeof *children);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signalled = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), poll = epoll_create1(EPOLL_CLOEXEC);
    watch(poll, signalled, UINT64_MAX);
    for (int i = 0; i < count; i++) {
        char path[512];
        for (int channel = 0; channel < channels; channel++) {
            snprintf(path, sizeof path, "%s/%d.%d", directory, i, channel);
            children[i].log[channel] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        }
        start(command, &children[i], channels);
        if (lazy) fcntl(children[i].out[0], F_SETPIPE_SZ, 1 << 20);
        living++;
        for (int channel = 0; channel < channels; channel++) watch(poll, children[i].out[channel], i * 2 + channel);
    }
    while (living > 0) {
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, -1), moved = 0, dead = 0;
        for (int n = 0; n < ready; n++) {
            uint64_t token = events[n].data.u64;
            if (token == UINT64_MAX) {
                struct signalfd_siginfo signal;
                while (read(signalled, &signal, sizeof signal) == sizeof signal) {
                    if (signal.ssi_signo == SIGCHLD) dead = 1;
                    else if (!stopping) {
                        stopping = 1;
                        for (int i = 0; i < count; i++) kill(children[i].pid, SIGTERM);
                    }
                }
            } else {
                struct child *child = &children[token / 2];
                moved |= move(child->out[token % 2], child->log[token % 2], copy) > 0;
            }
        }
        pid_t pid;
        while (dead && (pid = waitpid(-1, NULL, WNOHANG)) > 0) {
            int i = 0;
            while (children[i].pid != pid) i++;
            close(children[i].in);
            for (int channel = 0; channel < channels; channel++) {
                while (move(children[i].out[channel], children[i].log[channel], copy) > 0) {}
                close(children[i].out[channel]);
            }
            living--;
            if (stopping) continue;
            start(command, &children[i], channels);
            living++;
            for (int channel = 0; channel < channels; channel++) watch(poll, children[i].out[channel], i * 2 + channel);
        }
        if (lazy && moved) usleep(4000);
    }
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64)) die(path);
    return fd;
}

static const char head[] = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>";
static const char tail[] = "</value>\n</param>\n</params>\n</methodResponse>\n";

static size_t info(char *to, int number) {
    return sprintf(to,
                   "<struct><member><name>name</name><value><string>p%04d</string></value></member>"
                   "<member><name>group</name><value><string>p</string></value></member>"
                   "<member><name>start</name><value><int>1700000000</int></value></member>"
                   "<member><name>stop</name><value><int>0</int></value></member>"
                   "<member><name>now</name><value><int>1700000100</int></value></member>"
                   "<member><name>state</name><value><int>20</int></value></member>"
                   "<member><name>statename</name><value><string>RUNNING</string></value></member>"
                   "<member><name>spawnerr</name><value><string></string></value></member>"
                   "<member><name>exitstatus</name><value><int>0</int></value></member>"
                   "<member><name>logfile</name><value><string>/var/log/p%04d.out</string></value></member>"
                   "<member><name>stdout_logfile</name><value><string>/var/log/p%04d.out</string></value></member>"
                   "<member><name>stderr_logfile</name><value><string>/var/log/p%04d.err</string></value></member>"
                   "<member><name>pid</name><value><int>%d</int></value></member>"
                   "<member><name>description</name><value><string>pid %d, uptime 0:01:40</string></value></member>"
                   "</struct>", number, number, number, number, 1000 + number, 1000 + number);
}

static size_t resource(char *to, int number) {
    return sprintf(to,
                   "{\"group\":\"p\",\"name\":\"p%04d\",\"state\":\"RUNNING\",\"tags\":[],\"since\":1700000000,"
                   "\"wanted\":\"up\",\"description\":\"pid %d, uptime 0:01:40\",\"outlook\":\"runs\",\"reason\":null,"
                   "\"pid\":%d,\"started_at\":1700000000,\"stopped_at\":null,\"exit_status\":null,\"spawn_error\":null,"
                   "\"last_end\":null,\"stop\":null,\"last_request\":null,\"disabled\":null,\"restarts\":0,"
                   "\"next_start\":null,\"service\":null,\"readiness\":null,\"runs_until\":null,"
                   "\"stdout_logfile\":\"/dev/shm/bench-directory/%d.0\","
                   "\"stderr_logfile\":\"/dev/shm/bench-directory/%d.1\",\"dependencies\":[],\"waiting_for\":[],"
                   "\"health\":null,\"commands\":[],\"lost_bytes\":null}",
                   number, 1000 + number, 1000 + number, number, number);
}

static char *programs(char *at, int count) {
    at = stpcpy(at, "{\"programs\":[");
    for (int i = 0; i < count; i++) {
        if (i > 0) *at++ = ',';
        at += resource(at, i);
    }
    return stpcpy(at, "]}");
}

static char *method_response(char *at, const char *request, int count) {
    at = stpcpy(at, head);
    if (strstr(request, "<methodName>supervisor.getAllProcessInfo<")) {
        at = stpcpy(at, "<array><data>\n");
        for (int i = 0; i < count; i++) {
            at = stpcpy(at, "<value>");
            at += info(at, i);
            at = stpcpy(at, "</value>\n");
        }
        at = stpcpy(at, "</data></array>");
    } else {
        at = stpcpy(at, "<struct><member><name>statecode</name><value><int>1</int></value></member>"
                        "<member><name>statename</name><value><string>RUNNING</string></value></member></struct>");
    }
    return stpcpy(at, tail);
}

/* serve SOCKET COUNT: answers getState, getAllProcessInfo and GET /api/v1/programs of COUNT processes, over persistent
 * connections, one client at a time. */
static void serve(const char *path, int count) {
    int server = listen_at(path);
    char *body = malloc(4096 + count * 2048), request[8192], header[256];
    for (;;) {
        int client = accept(server, NULL, NULL);
        size_t have = 0;
        for (;;) {
            ssize_t got = read(client, request + have, sizeof request - 1 - have);
            if (got <= 0) break;
            have += got;
            request[have] = 0;
            int is_get = !strncmp(request, "GET ", 4);
            if (!strstr(request, is_get ? "\r\n\r\n" : "</methodCall>")) continue;
            char *at = is_get ? programs(body, count) : method_response(body, request, count);
            int length = sprintf(header, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                                 is_get ? "application/json" : "text/xml", (size_t)(at - body));
            write_all(client, header, length);
            write_all(client, body, at - body);
            have = 0;
        }
        close(client);
    }
}

/* status SOCKET: requests all processes and prints a line for each. */
static void status(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die(path);
    static const char request[] =
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 98\r\n\r\n"
        "<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName></methodCall>";
    write_all(fd, request, sizeof request - 1);
    size_t room = 16 << 20, have = 0;
    char *reply = malloc(room), *at = reply;
    while (!strstr(at, "</methodResponse>")) {
        ssize_t got = read(fd, reply + have, room - 1 - have);
        if (got <= 0) die("reply");
        at = have > 32 ? reply + have - 32 : reply;
        have += got;
        reply[have] = 0;
    }
    for (at = reply; (at = strstr(at, "<name>name</name><value><string>")); at++) {
        char *description = strstr(at, "<name>description</name><value><string>") + 39;
        printf("p:%.*s RUNNING %.*s\n", (int)strcspn(at + 32, "<"), at + 32, (int)strcspn(description, "<"), description);
    }
}

/* events PROBE FIFO COUNT: extracts communication events from the output of a speaker and passes them to a listener,
 * one after the other. */
static void events(char **speaker, char **listener) {
    static const char begin[] = "<!--XSUPERVISOR:BEGIN-->", end[] = "<!--XSUPERVISOR:END-->";
    struct child source, sink;
    start(listener, &sink, 2);
    start(speaker, &source, 2);
    fcntl(source.out[0], F_SETFL, 0);
    fcntl(sink.out[0], F_SETFL, 0);
    fcntl(sink.in, F_SETFL, 0);
    static char text[1 << 17], envelope[4096], answer[64];
    size_t have = 0;
    long serial = 0;
    if (read(sink.out[0], answer, sizeof answer) <= 0) die("listener");
    for (;;) {
        ssize_t got = read(source.out[0], text + have, sizeof text - 1 - have);
        if (got <= 0) die("speaker");
        have += got;
        text[have] = 0;
        char *from = text, *rest = text, *stop;
        while ((from = strstr(from, begin)) && (stop = strstr(from, end))) {
            from += sizeof begin - 1;
            char payload[2048];
            int length = snprintf(payload, sizeof payload, "processname:speaker groupname:speaker pid:%d\n%.*s",
                                  source.pid, (int)(stop - from), from);
            int whole = snprintf(envelope, sizeof envelope,
                                 "ver:3.0 server:supervisor serial:%ld pool:listener poolserial:%ld "
                                 "eventname:PROCESS_COMMUNICATION_STDOUT len:%d\n%s", serial, serial, length, payload);
            serial++;
            write_all(sink.in, envelope, whole);
            for (size_t heard = 0; heard < 17;) {
                ssize_t more = read(sink.out[0], answer, sizeof answer);
                if (more <= 0) die("listener");
                heard += more;
            }
            rest = from = stop + sizeof end - 1;
        }
        have = text + have - rest;
        memmove(text, rest, have);
    }
}

int main(int argc, char **argv) {
    raise_limit();
    const char *role = argc > 1 ? argv[1] : "";
    if (!strcmp(role, "supervise") && argc > 5) supervise(atoi(argv[2]), argv[3], argv[4], argv + 5);
    else if (!strcmp(role, "serve") && argc == 4) serve(argv[2], atoi(argv[3]));
    else if (!strcmp(role, "status") && argc == 3) status(argv[2]);
    else if (!strcmp(role, "events") && argc == 5) {
        char *speaker[] = {argv[2], "speaker", argv[3], argv[4], NULL};
        char *listener[] = {argv[2], "listener", argv[3], argv[4], NULL};
        events(speaker, listener);
    } else {
        fprintf(stderr, "limit: what?\n");
        return 2;
    }
    return 0;
}
