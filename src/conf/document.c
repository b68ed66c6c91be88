/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/document.h"

#include "conf/providers.h"
#include "conf/sections.h"
#include "conf/settings.h"

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `fairlead docs configuration` from the tables in src/conf. Change it there. -->\n"
    "\n"
    "Fairlead reads one YAML file. Every key is optional unless the tables say otherwise, and a key\n"
    "that is not in them is an error. `fairlead check` reports everything that is wrong with a file,\n"
    "with line and column, and starts nothing.\n"
    "\n"
    "## Values\n"
    "\n"
    "- `${NAME}` in a value is the environment variable; it has to be set. `${NAME:-default}` is the\n"
    "  default when it is not set or empty. `$$` is one dollar; any other dollar is an ordinary\n"
    "  character.\n"
    "- A secret is written as text, as a variable, or as `{file: PATH}`: the content of the file\n"
    "  without the line end. Files that are named have to exist and be readable.\n"
    "- Relative paths start at the working directory.\n"
    "- A key that would have no effect, such as `tls_ca_file` on an http endpoint, is an error.\n"
    "- Anchors and aliases work. Tags, merge keys and a second document do not.\n"
    "\n"
    "## Top level\n"
    "\n"
    "| Key | Meaning |\n"
    "| --- | --- |\n"
    "| `data_dir` | Folder for what Fairlead keeps. Default `./data`. |\n"
    "| `settings` | Values by name, see Settings. |\n";

static const struct section *const sections[] = {&listeners_section, &hostgroups_section, &servers_section,
                                                 &rules_section};

static void write_choices(struct buf *out, const struct field *field)
{
    const char *separator = " ";
    for (size_t i = 0; i < field->choice_count; i++) {
        if (field->choices[i].refusal)
            continue;
        buf_printf(out, "%s`" STR_FMT "`", separator, STR_ARG(field->choices[i].word));
        separator = ", ";
    }
}

static void write_field(struct buf *out, const struct field *field)
{
    buf_printf(out, "| `" STR_FMT "` | %s", STR_ARG(field->name), field->type->label);
    write_choices(out, field);
    if (field->type == &field_unsigned)
        buf_printf(out, ", %u to %u", field->min, field->max);
    if (field->is_required)
        buf_add(out, STR(" | required"));
    else if (field->default_text)
        buf_printf(out, " | `%s`", field->default_text);
    else
        buf_add(out, STR(" |"));
    buf_printf(out, " | %s |\n", field->help);
}

static void write_section(struct buf *out, const struct section *section)
{
    buf_printf(out, "\n## %s\n\n%s\n\n", section->name, section->help);
    buf_add(out, STR("| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < section->field_count; i++)
        write_field(out, &section->fields[i]);
}

static void write_cell(struct buf *out, struct str text)
{
    if (text.len > 0)
        buf_printf(out, " `" STR_FMT "` |", STR_ARG(text));
    else
        buf_add(out, STR(" |"));
}

static void write_providers(struct buf *out)
{
    buf_add(out, STR("\n## Providers\n\n"
                     "What `provider` of a server implies. The base path is added to an endpoint "
                     "that does not have it.\nWithout a health path the model list is asked.\n\n"
                     "| Provider | Endpoint | Variable of the key | Base path | Health path |\n"
                     "| --- | --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < provider_count; i++) {
        buf_add_char(out, '|');
        write_cell(out, providers[i].name);
        write_cell(out, providers[i].default_endpoint);
        write_cell(out, providers[i].key_variable);
        write_cell(out, providers[i].base_path);
        write_cell(out, providers[i].health_path);
        buf_add_char(out, '\n');
    }
}

static void write_setting_values(struct buf *out, const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_KIND_U64:
    case SETTING_KIND_DOUBLE:
        buf_printf(out, "%.15g to %.15g", setting->min, setting->max);
        if (setting->unit.len > 0)
            buf_printf(out, " " STR_FMT, STR_ARG(setting->unit));
        break;
    case SETTING_KIND_BOOL:
        buf_add(out, STR("`true`, `false`"));
        break;
    case SETTING_KIND_ENUM:
        for (size_t i = 0; i < setting->value_count; i++)
            buf_printf(out, "%s`" STR_FMT "`", i == 0 ? "" : ", ", STR_ARG(setting->values[i]));
        break;
    case SETTING_KIND_TEXT:
        buf_add(out, STR("text"));
        break;
    case SETTING_KIND_SECRET:
        buf_add(out, STR("text that is never shown"));
        break;
    }
}

static void write_setting(struct buf *out, const struct setting *setting, const struct settings *defaults)
{
    buf_printf(out, "| `" STR_FMT "` | `", STR_ARG(setting->name));
    setting_get(setting, defaults, out);
    buf_add(out, STR("` | "));
    write_setting_values(out, setting);
    buf_printf(out, " | %s | " STR_FMT " |\n", setting->reload == SETTING_RELOAD_LIVE ? "reload" : "restart",
               STR_ARG(setting->help));
}

static void write_settings(struct buf *out)
{
    struct settings defaults;
    struct str group = STR("");
    settings_init(&defaults);
    buf_add(out, STR("\n## settings\n\n"
                     "A change of a setting marked *reload* acts on requests that start after the "
                     "reload; one marked\n*restart* is only read at the start, and a reload that "
                     "changes it is refused. What SQL has SET goes\nbefore the file ([sql.md](sql.md)).\n"));
    for (size_t i = 0; i < settings_count; i++) {
        struct str title = setting_group(&settings_table[i]);
        if (!str_eq(title, group))
            buf_printf(out,
                       "\n### " STR_FMT "\n\n| Setting | Default | Values | Change by | Meaning |\n"
                       "| --- | --- | --- | --- | --- |\n",
                       STR_ARG(title));
        group = title;
        write_setting(out, &settings_table[i], &defaults);
    }
}

void document_configuration(struct buf *out)
{
    buf_add(out, str_from(introduction));
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        buf_printf(out, "| `%s` | %s |\n", sections[i]->name, sections[i]->help);
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        write_section(out, sections[i]);
    write_providers(out);
    write_settings(out);
}
