CREATE TABLE public.song (slug text NOT NULL, urn text GENERATED ALWAYS AS ('urn:song:' || slug) VIRTUAL, note text);
CREATE VIEW public.song_names AS SELECT urn FROM public.song;
