#!/usr/bin/env bash
# terraform/check.sh PLANS: checks every module and environment without a cloud account, and writes the plan of each
# environment with its example values to PLANS/ENVIRONMENT.json, for the tests of pkg/infra. It works on a copy and leaves the
# checkout alone. TERRAFORM=tofu takes OpenTofu. The google provider comes from the registry, from what TF_CLI_CONFIG_FILE
# names or, where the offline tool stands beside this checkout, from there.
set -euo pipefail
cd "$(dirname "$0")/.."
plans=$(realpath -m "${1:?usage: terraform/check.sh PLANS}")
tf=${TERRAFORM:-terraform}
command -v "$tf" >/dev/null || { echo "$tf is not on PATH: install Terraform 1.9 or later, or set TERRAFORM=tofu" >&2; exit 1; }

"$tf" fmt -check -recursive -diff terraform

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -C terraform --exclude=.terraform --exclude='*.tfstate*' --exclude=terraform.tfvars -cf - . | tar -C "$copy" -xf -

offline=../shared/tools/terraform-check
if [ ! -f "${TF_CLI_CONFIG_FILE:-}" ] && [ -x "$offline" ]; then
  "$offline" "$copy/modules/config" >/dev/null # sets the mirror up
  export TF_CLI_CONFIG_FILE="${XDG_CACHE_HOME:-$HOME/.cache}/arbridge-terraform-check/cli.tfrc"
  find "$copy" -name .terraform.lock.hcl -delete # they are about the real provider
elif [ ! -f "${TF_CLI_CONFIG_FILE:-}" ]; then
  export TF_PLUGIN_CACHE_DIR="${TF_PLUGIN_CACHE_DIR:-$PWD/.build/terraform-providers}" TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE=1
  mkdir -p "$TF_PLUGIN_CACHE_DIR"
fi
# Nothing is asked of the cloud; the provider only wants to see something like a token.
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 GOOGLE_OAUTH_ACCESS_TOKEN=offline

rm -rf "$plans" && mkdir -p "$plans"
for root in "$copy"/modules/* "$copy"/environments/*; do
  echo "== ${root#"$copy"/}"
  environment=
  case $root in */environments/*)
    environment=${root##*/}
    printf 'terraform {\n  backend "local" {}\n}\n' >"$root/backend_override.tf" # no bucket
  esac
  "$tf" -chdir="$root" init -input=false -no-color >"$copy/log" 2>&1 || { cat "$copy/log" >&2; exit 1; }
  "$tf" -chdir="$root" validate -no-color
  "$tf" -chdir="$root" test -no-color
  [ -n "$environment" ] || continue
  "$tf" -chdir="$root" plan -input=false -no-color -lock=false -var-file=terraform.tfvars.example -out="$copy/plan" >"$copy/log" 2>&1 ||
    { cat "$copy/log" >&2; exit 1; }
  "$tf" -chdir="$root" show -json "$copy/plan" >"$plans/$environment.json"
done
