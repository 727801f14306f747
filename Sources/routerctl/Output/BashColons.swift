// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What bash needs beside the script that is made from the commands: it takes a colon for the end of a word, and a model's name has one.
enum BashColons {
    /// Follows the script, of which `function` is the completion of `command`.
    static func script(command: String, function: String) -> String {
        """

        # Bash breaks words at colons, and llama3.2:3b is one name. Here words are put together again for the completion, and what bash
        # has of a name already is taken off the answers.
        \(function)_at_colons() {
            if [[ "${COMP_WORDBREAKS}" != *:* ]]; then
                \(function) "${@}"
                return
            fi
            local -a words=()
            local -i index current=0
            local rest="${COMP_LINE}" word head cur=''
            for index in "${!COMP_WORDS[@]}"; do
                word="${COMP_WORDS[index]}"
                head=''
                if [[ -n "${word}" && "${rest}" == "${word}"* && ("${word}" == :* || "${words[*]: -1}" == *:) ]]; then
                    # Nothing stands between it and the word before.
                    head="${words[*]: -1}"
                    words[${#words[@]} - 1]+="${word}"
                else
                    words+=("${word}")
                fi
                rest="${rest#*"${word}"}"
                if ((index == COMP_CWORD)); then
                    current=$((${#words[@]} - 1))
                    # What is before the cursor counts. Of a colon that was typed last, bash says nothing.
                    [[ "${word}" == :* && -z "${2}" ]] && cur="${head}${word}" || cur="${head}${2}"
                fi
            done
            local -a COMP_WORDS=("${words[@]}")
            local -i COMP_CWORD="${current}"
            \(function) "${1}" "${cur}" "${COMP_WORDS[current > 0 ? current - 1 : 0]}"
            local begun="${cur%"${2}"}"
            for index in "${!COMPREPLY[@]}"; do
                # It is no file, whose colons bash would escape.
                [[ "${COMPREPLY[index]}" == *:* && ! -e "${COMPREPLY[index]}" ]] && compopt +o filenames 2>/dev/null
                COMPREPLY[index]="${COMPREPLY[index]#"${begun}"}"
            done
        }

        complete -o filenames -F \(function)_at_colons \(command)

        """
    }
}
