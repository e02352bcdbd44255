// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/completion.h"

#include <fmt/format.h>

#include <algorithm>

namespace vrdma::vrdmactl {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

bool takes_value(const CLI::Option& option) {
    return option.get_expected_max() > 0 && option.get_type_size() > 0;
}

std::string long_names(const CLI::App& app) {
    std::string names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names += (names.empty() ? "--" : " --") + name;
        }
    }
    return names;
}

// The type as the program named it, without what CLI11 adds of the values that it checks.
std::string type_of(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    return type.substr(0, type.find(':'));
}

// In the shell's words: what may stand for the type, or nothing.
std::string shell_words(const std::string& type, const std::vector<Words>& words) {
    const auto found = std::ranges::find(words, type, &Words::type);
    if (found == words.end()) {
        return "";
    }
    return found->ask.empty() ? found->words
                              : fmt::format(
                                    "$(vrdmactl ${{socket:+--socket=\"$socket\"}} completion {} "
                                    "2>/dev/null)",
                                    found->ask);
}

std::string positional_words(const CLI::App& command, const std::vector<Words>& words) {
    std::string all;
    for (const CLI::Option* option : command.get_options()) {
        const std::string more =
            option->get_positional() ? shell_words(type_of(*option), words) : std::string();
        all += (all.empty() || more.empty() ? "" : " ") + more;
    }
    return all;
}

// For zsh's descriptions in brackets and quotes.
std::string plain(std::string text) {
    std::erase_if(text, [](char c) { return c == '\'' || c == '[' || c == ']' || c == ':'; });
    return text;
}

// Each option with a value: the patterns of its names, and what completes it.
std::string bash_values(const CLI::App& app, const std::vector<Words>& words) {
    std::string cases;
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_positional() || !takes_value(*option)) {
            continue;
        }
        for (const std::string& name : option->get_lnames()) {
            const std::string values = shell_words(type_of(*option), words);
            cases += fmt::format(
                "        --{})\n            COMPREPLY=($(compgen {} -- \"$cur\"))\n"
                "            return ;;\n",
                name, type_of(*option) == "PATH" ? "-f" : fmt::format("-W \"{}\"", values));
        }
    }
    return cases;
}

std::string options_with_values(const CLI::App& app) {
    std::string names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            if (takes_value(*option)) {
                names += (names.empty() ? "--" : "|--") + name;
            }
        }
    }
    return names;
}

std::string zsh_options(const CLI::App& app, const std::vector<Words>& words) {
    std::string specs;
    for (const CLI::Option* option : app.get_options()) {
        const std::string type = type_of(*option);
        std::string action;
        if (type == "PATH") {
            action = "_files";
        } else if (const std::string values = shell_words(type, words); !values.empty()) {
            action = "(" + values + ")";
        }
        if (option->get_positional()) {
            specs += fmt::format(" \\\n                \"*:{}:{}\"", type, action);
            continue;
        }
        for (const std::string& name : option->get_lnames()) {
            specs += fmt::format(" \\\n                \"--{}[{}]{}\"", name,
                                 plain(option->get_description()),
                                 takes_value(*option) ? fmt::format(":{}:{}", type, action) : "");
        }
    }
    return specs;
}

}  // namespace

std::string bash_completion(const CLI::App& app, const std::vector<Words>& words) {
    std::string values = bash_values(app, words);
    std::string cases;
    std::string names;
    for (const CLI::App* command : commands_of(app)) {
        names += command->get_name() + " ";
        values += bash_values(*command, words);
        cases +=
            fmt::format("        {}) words=\"{} {} {}\" ;;\n", command->get_name(),
                        positional_words(*command, words), long_names(*command), long_names(app));
    }
    return fmt::format(R"(# bash completion for vrdmactl, made by 'vrdmactl completion bash'
_vrdmactl()
{{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
    local command="" socket="" words="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        --socket) socket=${{COMP_WORDS[i+1]}}; ((i++)) ;;
        {}) ((i++)) ;;
        -*|=) ;;
        *) [ -n "$command" ] || command=${{COMP_WORDS[i]}} ;;
        esac
    done
    case $prev in
{}    esac
    case $command in
        "") words="{}{}" ;;
{}    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F _vrdmactl vrdmactl
)",
                       options_with_values(app), values, names, long_names(app), cases);
}

std::string zsh_completion(const CLI::App& app, const std::vector<Words>& words) {
    std::string descriptions;
    std::string cases;
    for (const CLI::App* command : commands_of(app)) {
        descriptions += fmt::format("        '{}:{}'\n", command->get_name(),
                                    plain(command->get_description()));
        cases += fmt::format("        {})\n            _arguments{} ;;\n", command->get_name(),
                             zsh_options(*command, words));
    }
    return fmt::format(R"(#compdef vrdmactl
# zsh completion for vrdmactl, made by 'vrdmactl completion zsh'
_vrdmactl()
{{
    local curcontext="$curcontext" state line socket=""
    typeset -A opt_args
    local -a commands
    commands=(
{}    )
    _arguments -C{}                 '1: :->command' '*:: :->rest'
    socket=${{opt_args[--socket]}}
    case $state in
    command) _describe command commands ;;
    rest)
        case $words[1] in
{}        esac ;;
    esac
}}
_vrdmactl "$@"
)",
                       descriptions, zsh_options(app, words), cases);
}

}  // namespace vrdma::vrdmactl
