CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE TABLE public.days (mood public.mood DEFAULT 'ok', moods public.mood[]);
INSERT INTO public.days VALUES ('sad', '{ok,sad}');
CREATE VIEW public.moods AS SELECT mood FROM public.days;
