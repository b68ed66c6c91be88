/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 320

/* First number in the file at `path`. */
static uint64_t read_number(const char *path)
{
    unsigned long long number = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

uint64_t watch_cpu(uint64_t pid)
{
    char path[PATH_SIZE];
    uint64_t sum = 0;
    snprintf(path, sizeof(path), "/proc/%llu/task", (unsigned long long)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%llu/task/%.20s/schedstat", (unsigned long long)pid,
                 task->d_name);
        sum += read_number(path);
    }
    closedir(tasks);
    return sum;
}

void watch_memory(uint64_t pid, uint64_t *ret_rss, uint64_t *ret_pss)
{
    char path[PATH_SIZE];
    char line[256];
    *ret_rss = *ret_pss = 0;
    snprintf(path, sizeof(path), "/proc/%llu/smaps_rollup", (unsigned long long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        unsigned long long kib = 0;
        if (sscanf(line, "Rss: %llu kB", &kib) == 1)
            *ret_rss = kib * 1024;
        else if (sscanf(line, "Pss_Anon: %llu kB", &kib) == 1) /* no program text, and no mapped journal */
            *ret_pss = kib * 1024;
    }
    fclose(file);
}
