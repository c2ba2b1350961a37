package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help implements kong.HelpProvider.
func (completionCmd) Help() string {
	return `Examples:

    source <(switchboard completion bash)
    switchboard completion zsh > "${fpath[1]}/_switchboard"
    switchboard completion fish > ~/.config/fish/completions/switchboard.fish`
}

// Run implements the command.
func (c completionCmd) Run(k *kong.Kong, s streams) error {
	write := map[string]func([]commandPage) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := io.WriteString(s.out, write(pages(k.Model)))
	return err
}

// paths returns the patterns of a case that goes from command to command: "$at $word" for each.
func paths(all []commandPage) string {
	var out []string
	for _, c := range all[1:] {
		parent, name := "", c.path
		if i := strings.LastIndexByte(c.path, ' '); i >= 0 {
			parent, name = c.path[:i], c.path[i+1:]
		}
		out = append(out, `"`+parent+" "+name+`"`)
	}
	return strings.Join(out, "|")
}

// valueCases returns the branches of a case on "$at $prev" for flags with a value; files and nothing are what to do for
// those that name a file, and for those that may be anything.
func valueCases(all []commandPage, list func(values []string) string, files, nothing string) string {
	var b strings.Builder
	for _, c := range all {
		for _, f := range c.flags {
			if f.IsBool() {
				continue
			}
			do := nothing
			if v := values(f); v != nil {
				do = list(v)
			} else if isFile(f) {
				do = files
			}
			pattern := fmt.Sprintf(`"%s --%s"`, c.path, f.Name)
			if f.Short != 0 {
				pattern += fmt.Sprintf(`|"%s -%c"`, c.path, f.Short)
			}
			fmt.Fprintf(&b, "    %s) %s; return ;;\n", pattern, do)
		}
	}
	return b.String()
}

func bashCompletion(all []commandPage) string {
	var words strings.Builder
	for _, c := range all {
		var w []string
		for _, sub := range c.subs {
			w = append(w, sub.Name)
		}
		if c.path == "completion" {
			w = append(w, "bash", "zsh", "fish")
		}
		for _, f := range c.flags {
			w = append(w, "--"+f.Name)
		}
		files := ""
		if c.files {
			files = "; files=1"
		}
		fmt.Fprintf(&words, "    %q) words=%q%s ;;\n", c.path, strings.Join(w, " "), files)
	}
	return `# Completion of switchboard for bash: source <(switchboard completion bash)
_switchboard() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= word words= files= i
  COMPREPLY=()
  if [[ $cur == "=" ]]; then cur=; elif [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case "$at $word" in
    ` + paths(all) + `) at=${at:+$at }$word ;;
    esac
  done
  case "$at $prev" in
` + valueCases(all, func(v []string) string {
		return `COMPREPLY=($(compgen -W "` + strings.Join(v, " ") + `" -- "$cur"))`
	}, `compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))`, "true") + `  esac
  case "$at" in
` + words.String() + `  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $files ]]; then compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur")); fi
}
complete -F _switchboard switchboard
`
}

func zshCompletion(all []commandPage) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	entry := func(name, help string) string { return quote(strings.ReplaceAll(name, ":", `\:`) + ":" + help) }
	var lists strings.Builder
	for _, c := range all {
		fmt.Fprintf(&lists, "    %q)\n", c.path)
		var subs, flags []string
		for _, sub := range c.subs {
			subs = append(subs, entry(sub.Name, sub.Help))
		}
		if c.path == "completion" {
			subs = append(subs, "bash", "zsh", "fish")
		}
		for _, f := range c.flags {
			flags = append(flags, entry("--"+f.Name, f.Help))
		}
		files := ""
		if c.files {
			files = "\n      _files"
		}
		fmt.Fprintf(&lists, "      commands=(%s)\n      flags=(%s)%s ;;\n", strings.Join(subs, " "), strings.Join(flags, " "), files)
	}
	return `#compdef switchboard
# Completion of switchboard for zsh: switchboard completion zsh > "${fpath[1]}/_switchboard"
_switchboard() {
  local at= word prev=${words[CURRENT-1]}
  local -a commands flags
  for word in ${words[2,CURRENT-1]}; do
    case "$at $word" in
    ` + paths(all) + `) at=${at:+$at }$word ;;
    esac
  done
  case "$at $prev" in
` + valueCases(all, func(v []string) string { return "compadd " + strings.Join(v, " ") }, "_files", "true") + `  esac
  case "$at" in
` + lists.String() + `  esac
  _describe command commands
  _describe flag flags
}
if [ "$funcstack[1]" = "_switchboard" ]; then _switchboard "$@"; else compdef _switchboard switchboard; fi
`
}

func fishCompletion(all []commandPage) string {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	b.WriteString(`# Completion of switchboard for fish: switchboard completion fish > ~/.config/fish/completions/switchboard.fish
function __switchboard_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ` + strings.ReplaceAll(paths(all), "|", " ") + `
        set at (string trim "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
complete -c switchboard -f
`)
	for _, c := range all {
		where := "complete -c switchboard -n " + quote("__switchboard_at "+quote(c.path))
		for _, sub := range c.subs {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", where, sub.Name, quote(sub.Help))
		}
		if c.path == "completion" {
			fmt.Fprintf(&b, "%s -a 'bash zsh fish'\n", where)
		}
		if c.files {
			fmt.Fprintf(&b, "%s -F\n", where)
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "%s -l %s", where, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(&b, " -s %c", f.Short)
			}
			switch v := values(f); {
			case f.IsBool():
			case v != nil:
				fmt.Fprintf(&b, " -x -a %s", quote(strings.Join(v, " ")))
			case isFile(f):
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", quote(f.Help))
		}
	}
	return b.String()
}
