function __coterie_options
    switch $$argv[1]
$options
    end
end

function __coterie_words
    switch $$argv[1]
$words
    end
end

function __coterie
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l environments (string split ' ' -- '$environments')
    set -l algorithms (string split ' ' -- '$algorithms')
    if test (count $$typed) -eq 1
        string split ' ' -- '$verbs'
        return
    end
    set -l verb $$typed[2]
    set -l names
    set -l options no
    for word in $$typed[3..-1]
        if string match -q -- '-*' $$word
            set options yes
            break
        end
        set -a names $$word
    end
    if string match -q -- '-*' $$current
        __coterie_options $$verb
        for name in $$names
            if test $$verb = compare; and not contains -- $$name $$environments
                __coterie_options $$name | string replace -r '^--' -- "--$$name."
            else
                __coterie_options $$name
            end
        end
        return
    end
    if test $$options = yes
        set -l previous $$typed[-1]
        for name in $$names
            set previous (string replace -- "--$$name." '--' $$previous)
        end
        set -l found (__coterie_words $$previous)
        if test (count $$found) -gt 0
            string join \n -- $$found
        else
            __fish_complete_path $$current
        end
        return
    end
    switch "$$verb "(count $$names)
        case 'train 0' 'sweep 0' 'fleet 0' 'config 0'
            string join \n -- $$algorithms
        case 'train 1' 'sweep 1' 'fleet 1' 'config 1' 'check 0'
            string join \n -- $$environments
        case 'compare *'
            string join \n -- $$algorithms $$environments
        case 'graph 0'
            string split ' ' -- '$graphs'
        case 'claims 0'
            string split ' ' -- '$figures'
        case 'completion 0'
            string split ' ' -- '$shells'
        case 'resume 0' 'agent 0' 'gather 0' 'evaluate 0' 'watch 0' 'plot *'
            __fish_complete_directories $$current
    end
end

complete -c coterie -f -a '(__coterie)'
