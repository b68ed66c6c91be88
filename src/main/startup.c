/* SPDX-License-Identifier: Apache-2.0 */
#include "main/startup.h"

#include "conf/providers.h"
#include "route/match.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the configuration ---- */

struct config *startup_load(struct str path)
{
    struct config_env env = config_env_process;
    struct diagnostics *diagnostics = malloc(sizeof(*diagnostics));
    struct config *config = NULL;
    struct buf text;
    if (!diagnostics)
        return NULL;
    env.is_pattern = match_is_pattern;
    diagnostics_init(diagnostics);
    buf_init(&text, (size_t)1 << 20);
    if (config_load_file(path, &env, &config, diagnostics) != ERR_OK)
        config = NULL;
    diagnostics_print(diagnostics, path, &text);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stderr);
    buf_free(&text);
    diagnostics_fini(diagnostics);
    free(diagnostics);
    return config;
}

void startup_find_config(struct cli *io_cli)
{
    static char in_home[PATH_MAX];
    const char *const places[] = {"fairlead.yaml", "mindbalancer.cnf", "/etc/mindbalancer/mindbalancer.cnf", in_home};
    const char *home = getenv("HOME");
    if (home)
        snprintf(in_home, sizeof(in_home), "%s/.mindbalancer/mindbalancer.cnf", home);
    for (size_t i = 0; i < ARRAY_LEN(places) && io_cli->config_path.len == 0; i++)
        if (access(places[i], F_OK) == 0)
            io_cli->config_path = str_from(places[i]);
    if (io_cli->config_path.len > 0)
        printf("configured %.*s\n", STR_ARG(io_cli->config_path));
}

struct timespec startup_file_time(struct str path)
{
    struct stat status;
    return stat(path.ptr, &status) == 0 ? status.st_mtim : (struct timespec){0};
}

/* ---- the data folder ---- */

static bool make_folder(struct str name)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), STR_FMT, STR_ARG(name)) >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0750) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(path, 0750) == 0 || errno == EEXIST;
}

enum err startup_lock(struct str data_dir, char *why)
{
    char path[PATH_MAX];
    if (!make_folder(data_dir)) {
        snprintf(why, STARTUP_WHY_MAX, "data folder %.300s: %s; name another one: data_dir in the configuration, or --data DIR",
                 data_dir.ptr, strerror(errno));
        return ERR_SYSTEM;
    }
    snprintf(path, sizeof(path), "%.*s/fairlead.lock", STR_ARG(data_dir));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        snprintf(why, STARTUP_WHY_MAX, "data folder: %.300s: %s; name another one: data_dir in the configuration, or --data DIR",
                 path, strerror(errno));
        return ERR_SYSTEM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char owner[32] = "";
        ssize_t len = read(fd, owner, sizeof(owner) - 1);
        owner[len > 0 ? strcspn(owner, "\n") : 0] = '\0';
        snprintf(why, STARTUP_WHY_MAX, "data folder %.*s is in use by another Fairlead (process %s)",
                 STR_ARG(data_dir), owner);
        close(fd);
        return ERR_BUSY;
    }
    /* The descriptor stays open: it is the lock. */
    char owner[32];
    int len = snprintf(owner, sizeof(owner), "%d\n", (int)getpid());
    bool written = ftruncate(fd, 0) == 0 && write(fd, owner, (size_t)len) == len;
    (void)written; /* only for the message above */
    return ERR_OK;
}

/* ---- a server of our own, when nobody else is there ---- */

static bool simulator_path(char *out, size_t size)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0)
        return false;
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    return (size_t)snprintf(out, size, "%s/fairlead-sim", self) < size && access(out, X_OK) == 0;
}

/* The address out of "fairlead-sim listening http://127.0.0.1:PORT". */
static bool read_announcement(int fd, char *url, size_t size)
{
    char line[256];
    size_t len = 0;
    while (len + 1 < sizeof(line)) {
        ssize_t n = read(fd, line + len, 1);
        if (n <= 0 || line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
    const char *found = strstr(line, "http://");
    return found && (size_t)snprintf(url, size, "%s", found) < size;
}

static void run_simulator(const char *path, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    dup2(out, STDOUT_FILENO);
    execl(path, path, "--listen", "127.0.0.1:0", "--models", "sim", "--decode-tokens-per-s", "50", "--tokens",
          "40", (char *)NULL);
    _exit(127);
}

enum err startup_simulator(struct config *config, char *why)
{
    char path[PATH_MAX], url[128];
    int pipe_fds[2];
    if (!simulator_path(path, sizeof(path))) {
        snprintf(why, STARTUP_WHY_MAX, "fairlead-sim does not stand beside this program");
        return ERR_NOT_FOUND;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return ERR_SYSTEM;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        run_simulator(path, pipe_fds[1], parent);
    close(pipe_fds[1]);
    bool announced = child > 0 && read_announcement(pipe_fds[0], url, sizeof(url));
    close(pipe_fds[0]);
    if (!announced) {
        snprintf(why, STARTUP_WHY_MAX, "%.400s did not start", path);
        return ERR_SYSTEM;
    }
    return config_add_server(config, STR("sim"), provider_find(STR("vllm")), str_from(url), STR_NONE);
}
