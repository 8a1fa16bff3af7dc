CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE public.people (id integer PRIMARY KEY, mood public.mood NOT NULL DEFAULT 'ok');
CREATE VIEW public.cheerful AS SELECT id FROM public.people WHERE mood = 'happy'::public.mood;
INSERT INTO public.people VALUES (1, 'ok'), (2, 'happy');
