_coterie_options() {
  case "$$1" in
$options
  esac
}

_coterie_words() {
  case "$$1" in
$words
  esac
}

_coterie() {
  local current="$${COMP_WORDS[COMP_CWORD]}" previous="$${COMP_WORDS[COMP_CWORD-1]}"
  local verb="$${COMP_WORDS[1]}" place=2 names="" count=0 found="" name option
  if [ "$$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($$(compgen -W "$verbs" -- "$$current"))
    return
  fi
  while [ "$$place" -lt "$$COMP_CWORD" ]; do
    case "$${COMP_WORDS[place]}" in -*) break ;; esac
    names="$$names $${COMP_WORDS[place]}"
    count=$$((count + 1))
    place=$$((place + 1))
  done
  case "$$current" in
  -*)
    found="$$(_coterie_options "$$verb")"
    for name in $$names; do
      if [ "$$verb" != compare ]; then
        found="$$found $$(_coterie_options "$$name")"
        continue
      fi
      case " $environments " in
      *" $$name "*) found="$$found $$(_coterie_options "$$name")" ;;
      *)
        for option in $$(_coterie_options "$$name"); do
          found="$$found --$$name.$${option#--}"
        done
        ;;
      esac
    done
    COMPREPLY=($$(compgen -W "$$found" -- "$$current"))
    return
    ;;
  esac
  if [ "$$place" -lt "$$COMP_CWORD" ]; then
    for name in $$names; do
      case "$$previous" in "--$$name."*) previous="--$${previous#"--$$name."}" ;; esac
    done
    found="$$(_coterie_words "$$previous")"
    if [ -n "$$found" ]; then
      COMPREPLY=($$(compgen -W "$$found" -- "$$current"))
    else
      COMPREPLY=($$(compgen -f -- "$$current"))
    fi
    return
  fi
  case "$$verb $$count" in
  "train 0" | "sweep 0" | "fleet 0" | "config 0") found="$algorithms" ;;
  "train 1" | "sweep 1" | "fleet 1" | "config 1" | "check 0") found="$environments" ;;
  compare*) found="$algorithms $environments" ;;
  "graph 0") found="$graphs" ;;
  "claims 0") found="$figures" ;;
  "completion 0") found="$shells" ;;
  "resume 0" | "agent 0" | "gather 0" | "evaluate 0" | "watch 0" | plot*)
    COMPREPLY=($$(compgen -d -- "$$current"))
    return
    ;;
  esac
  COMPREPLY=($$(compgen -W "$$found" -- "$$current"))
}

complete -F _coterie coterie
