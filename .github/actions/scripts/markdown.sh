# shellcheck shell=bash
# Print Markdown with the heading $1 and the text on stdin as a block of code: every line of it is
# indented, so that nothing in the text ends the block.
markdown_of_text() {
    printf '## %s\n\n' "$1"
    sed 's/^/    /'
}
