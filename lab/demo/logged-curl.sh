# Runs curl with the arguments given, and logs what answers.ts reads of each answer: its time in microseconds
# and its lines, with tabs between them. What comes within a fifth of a second is one line of the log: whoever
# follows a log makes kubelet and containerd work for every write, and more than a request does.
curl "$@" | mawk -W interactive '
  /^(ServiceVersion|Cluster|Failure|Hop)=|^#/ { answer = answer "\t" $0 }
  /^#/ { print answer; fflush(); answer = "" }
' | {
  logged=0
  answers=
  while IFS= read -r answer; do
    now=${EPOCHREALTIME/./}
    answers+="$now$answer"$'\t'
    if ((now - logged >= 200000)); then
      echo "$answers"
      logged=$now
      answers=
    fi
  done
  echo "$answers"
}
