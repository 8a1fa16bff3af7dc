CREATE TYPE public.span AS RANGE (subtype = float8, multirange_type_name = spanmultirange_of_mine);
CREATE TABLE public.spans (a public.span, b public.span[], c public.spanmultirange_of_mine);
INSERT INTO public.spans VALUES ('[1,2)', '{"[1,2)"}', '{[1,2)}');
