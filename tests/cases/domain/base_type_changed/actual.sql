CREATE DOMAIN public.code AS text CHECK (VALUE <> '');
CREATE TABLE public.things (code public.code DEFAULT '7', codes public.code[]);
CREATE VIEW public.codes AS SELECT code FROM public.things;
INSERT INTO public.things VALUES ('12', '{1,2}');
