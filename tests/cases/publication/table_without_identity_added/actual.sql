CREATE TABLE public.logs (line text, kind text);
CREATE TABLE public.things (id bigint PRIMARY KEY);
CREATE TABLE public.whole (a int);
ALTER TABLE public.whole REPLICA IDENTITY FULL;
CREATE PUBLICATION feed FOR TABLE public.things;
