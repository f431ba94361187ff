#!/bin/sh
# Proposes a weight for Pulumi.<stack>.yaml as a change of the default branch, if Git has another one: a commit on the branch
# weight/<stack>, and a pull request (gh, with GH_TOKEN) or a merge request (in GitLab CI).
# Usage: propose-weight.sh STACK [WEIGHT]   without WEIGHT, what the file in the checkout has; STACK may have its organization
#        propose-weight.sh --show STACK     prints what the file in the checkout has
set -eu

show=false
if [ "$1" = --show ]; then
  show=true
  shift
fi
stack=$1
file=Pulumi.${stack##*/}.yaml
branch=weight/$stack

# The key with its spaces, up to the number, which Pulumi writes in quotes; what follows, such as a comment, stays.
key='[[:space:]]\{1,\}["'"'"']\{0,1\}[A-Za-z0-9_-]*:weight["'"'"']\{0,1\}[[:space:]]*:[[:space:]]*["'"'"']\{0,1\}'
if [ $# -gt 1 ]; then
  # It becomes part of a script of sed's.
  case $2 in
    "" | *[!0-9]*)
      echo "$2 is no weight: write a whole number from 0 to 100" >&2
      exit 1
      ;;
  esac
  sed "s/^\\($key\\)[0-9]\\{1,3\\}/\\1$2/" "$file" > "$file.tmp"
  cat "$file.tmp" > "$file"
  rm "$file.tmp"
fi
weight=$(sed -n "s/^$key\\([0-9]\\{1,3\\}\\).*/\\1/p" "$file")
if [ -z "$weight" ] || [ "$weight" != "${2:-$weight}" ]; then
  echo "$file has no weight on a line of its own: write one below config:" >&2
  exit 1
fi
if $show; then
  echo "$weight"
  exit 0
fi

# The file at a commit, without its weight.
without_weight() {
  git show "$1:./$file" | sed "s/^\\($key\\)[0-9]\\{1,3\\}/\\1/"
}

if git diff --quiet -- "$file"; then
  echo "$file has the weight that the clusters have."
  # An earlier proposal has another one. GitHub and GitLab close it with its branch.
  if git ls-remote --exit-code --heads origin "refs/heads/$branch" >/dev/null; then
    git fetch --quiet origin "refs/heads/$branch"
    # One that brings a canary, too, stays until git has that: a run that does not know of it withdraws nothing.
    proposed=$(without_weight FETCH_HEAD)
    if [ "$proposed" != "$(without_weight FETCH_HEAD~1)" ] && [ "$proposed" != "$(without_weight HEAD)" ]; then
      echo "The proposal on branch $branch stays: it has more than a weight. Merge it, or close it."
      exit 0
    fi
    git push --quiet origin --delete "$branch"
    echo "The proposal on branch $branch is withdrawn."
  fi
  exit 0
fi
title="$stack: weight $weight, as in the clusters"

git switch --quiet --force-create "$branch"
git -c user.name="${GIT_AUTHOR_NAME:-release}" -c user.email="${GIT_AUTHOR_EMAIL:-release@users.noreply.github.com}" \
  commit --quiet --message "$title" -- "$file"
if [ -n "${GITLAB_CI:-}" ]; then
  git push --quiet --force \
    -o merge_request.create -o "merge_request.target=$CI_DEFAULT_BRANCH" -o "merge_request.title=$title" origin "$branch"
else
  git push --quiet --force origin "$branch"
  if [ -n "${GH_TOKEN:-}" ]; then
    # By its branch alone, gh would take one that was merged before.
    number=$(gh pr list --head "$branch" --state open --json number --jq '.[].number')
    if [ -n "$number" ]; then
      gh pr edit "$number" --title "$title"
    else
      gh pr create --head "$branch" --title "$title" \
        --body "The clusters have this weight since the last rollout. Merging changes nothing in them."
    fi
  fi
fi
echo "$title: proposed on branch $branch"
