# Where PostgreSQL's programs are: in PATH, else in Debian's place, newest version last.
if ! command -v postgres >/dev/null; then
  for dir in /usr/lib/postgresql/*/bin; do
    [ -x "$dir/postgres" ] && newest=$dir
  done
  PATH="${newest:+$newest:}$PATH"
fi
command -v postgres >/dev/null || {
  echo "postgres is not in PATH; install it (Debian: apt-get install postgresql)" >&2
  exit 1
}
cd "{{pkg.svc_data_path}}" || exit 1
database="{{pkg.svc_data_path}}/pgdata"
