/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for a test, removed with what is in it. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned at;
    char *out = path[at++ % 4];
    snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
    return out;
}

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/fairlead-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        unlink(in_folder(entry->d_name));
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

/* The whole file; free() it. */
__attribute__((unused)) static char *file_content(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    char *content = NULL;
    *ret_len = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long len = ftell(file);
    rewind(file);
    content = malloc((size_t)len + 1);
    if (content)
        *ret_len = fread(content, 1, (size_t)len, file);
    fclose(file);
    return content;
}

__attribute__((unused)) static void file_write(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, len, file) != len || fclose(file) != 0)
        abort();
}

__attribute__((unused)) static unsigned file_mode(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_mode & 07777 : 0;
}
