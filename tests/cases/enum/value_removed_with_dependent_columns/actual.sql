CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
COMMENT ON TYPE public.mood IS 'how one is';
REVOKE ALL ON TYPE public.mood FROM PUBLIC;
CREATE TABLE public.days (id int PRIMARY KEY, mood public.mood NOT NULL DEFAULT 'ok', others public.mood[], CHECK (mood <> 'sad'));
CREATE INDEX days_mood_idx ON public.days (mood);
INSERT INTO public.days VALUES (1, 'happy', '{ok,happy}');
CREATE VIEW public.moods AS SELECT mood, count(*) AS days FROM public.days GROUP BY mood;
COMMENT ON VIEW public.moods IS 'how it was';
CREATE FUNCTION public.cheer(mood public.mood) RETURNS public.mood LANGUAGE sql AS $$SELECT 'happy'::public.mood$$;
