-- A client's words as an error may repeat them: short, and on one line.
--
-- PostgREST writes the message of a PTxxx error into the HTTP status line, where a line
-- break would begin a header of the client's choosing.
--
-- Called by   whatever puts a client's words into a message

create or replace function feed.one_line(words text)
returns text
language sql
immutable
parallel safe
return left(regexp_replace(words, '[[:cntrl:]]+', ' ', 'g'), 100);

comment on function feed.one_line is
'The words with every run of control characters as one space, cut to 100 characters.';
