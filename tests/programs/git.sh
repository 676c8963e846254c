# A repository from init to gc, with branches, merges, hooks, a clone and a push.
# needs git
export HOME=$PWD GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
git config --global init.defaultBranch main
git config --global advice.detachedHead false
git config --global pack.threads 1
git config --global core.abbrev 10
git init -q repo && cd repo
for i in $(seq 20); do
    mkdir -p d$((i % 3))
    seq $((i * 10)) >d$((i % 3))/f$i
done
git add . && git commit -qm first && git log --stat --oneline | tail -3
git checkout -qb side
echo side >>d1/f1
git commit -qam 'on the side'
git checkout -q main
echo main >>d2/f2
git rm -q d0/f3
git commit -qam 'on main'
git merge -q --no-edit side && git log --graph --format='%h %s %an %ad' --date=iso
git checkout -qb conflict HEAD~1
echo other >>d1/f1
git commit -qam conflicting
git merge side
echo $?
git status --short
git diff
git checkout --theirs d1/f1 && git add d1/f1 && git commit -qm resolved
git rebase -q main
echo $?
git status -s
git rebase --abort 2>/dev/null
git checkout -q main
git cherry-pick -n side 2>&1 | head -1
git reset -q --hard
git tag -a v1 -m 'a tag'
git describe
git show --stat v1 | tail -4
git blame -s d2/f2 | tail -2
git grep -c main
git shortlog -sn HEAD
git rev-list --count --all
echo stashed >>d1/f4
git stash -q
git stash list
git stash pop -q
git diff --numstat
git checkout -q .
git mv d1 moved && git commit -qm moved && git log --follow --oneline moved/f1 | wc -l
git bisect start -q HEAD HEAD~3 2>&1 | tail -1
git bisect run sh -c 'test -d d1' 2>&1 | tail -3 | head -1
git bisect reset -q
printf '#!/bin/sh\necho hook ran with $# arguments\n' >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
echo h >hooked
git add hooked
git commit -qm hooked
git format-patch -1 --stdout | sed 's/^From [0-9a-f]* /From X /;$d' | tail -12
git archive --format=tar HEAD | tar -t | wc -l
git ls-tree -r HEAD | head -3
git repack -adq
git gc -q --prune=now
git count-objects -v | grep -v size
git fsck --strict
git verify-pack -s .git/objects/pack/*.idx | head -3
cd ..
git clone -q repo clone && git clone -q --bare file://$PWD/repo bare.git && cd clone && git remote -v | sed 's:\t.*/:\t:' && git log --oneline | wc -l
echo c >c
git add c
git commit -qm 'in the clone'
git push -q ../bare.git HEAD:new
git fetch -q ../bare.git new && git rev-parse FETCH_HEAD HEAD | uniq -c | wc -l
git pull -q ../repo main
git worktree add -q ../tree v1 && ls ../tree
git submodule add -q ../bare.git sub 2>&1 | tail -1
git -c protocol.file.allow=always submodule add -q ../bare.git sub
git status --short
git bundle create -q ../b.bundle main
git bundle verify -q ../b.bundle
git log nosuch
echo $?
git hash-object -w --stdin <<<text
git cat-file -p HEAD | head -2
git reflog | wc -l
git notes add -m note
git notes show
git rev-parse HEAD
git clean -fdxq
git am </dev/null
echo $?
cd ..
rm -rf repo clone bare.git tree b.bundle .gitconfig
